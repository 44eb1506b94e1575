"""Every claim can be satisfied, violated, left open and not be run; the ledger of all of them."""

import json
import math
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ihdm.claims import CLAIMS
from ihdm.claims.claim import baselines
from ihdm.claims.ledger import COLUMNS, as_json, as_markdown, available_tables, check, needed_tables
from ihdm.config.reading import parse_config, read_config
from ihdm.measures import merged_tables

ROOT = Path(__file__).parents[2]
QUICK = read_config(ROOT / "workflow/config/quick.yaml")
PAPER = read_config(ROOT / "config.yaml")
SEEDS = read_config(ROOT / "workflow/config/seeds.yaml")
OVER_TRAININGS = (
    *("interpolation_smoother", "gradients_more_local", "diffusion_has_better_samples", "markov_bound_is_tighter"),
    *("quarter_of_evaluations_suffices", "whitened_eighth_beats_default", "whitened_quarter_matches_best"),
    "five_evaluations_suffice_from_noise",
)
"""Claims on trainings that the seeds scale repeats."""


def verdicts(claim, tables):
    """The verdicts of a claim on everything that was run, at the scale that has it."""
    table = check(tables, PAPER if claim == "fid_as_published" else QUICK)
    return set(table.loc[(table["id"] == claim) & (table["verdict"] != "not run"), "verdict"])


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_is_reproduced_if_satisfied_refuted_if_violated_and_open_in_noise(claim, cases):
    case = cases[claim]
    assert verdicts(claim, case.satisfied) == {"reproduced"}
    assert verdicts(claim, case.violated) == {"not reproduced"}
    assert verdicts(claim, case.hidden) == {"inconclusive"}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_without_its_rows_is_not_run(claim, cases):
    for tables in ({}, {name: table.iloc[:0] for name, table in cases[claim].satisfied.items()}):
        table = check(tables, QUICK)
        assert set(table.loc[table["id"] == claim, "verdict"]) == {"not run"}


@pytest.mark.parametrize(
    ("claim", "table", "column", "cell"),
    [
        ("diffusion_has_better_samples", "distance", "n", math.nan),
        ("early_splits_change_more", "hierarchy", "value", math.nan),
        ("langevin_at_root_two_of_networks", "asymptotics", "expected", 0.0),
        ("departure_of_rounding_changes_nothing", "departures", "value_described", 0.0),
        ("little_delta_smooths", "spectrum", "standard_error", math.nan),
        ("fid_as_published", "distance", "n", 500),  # too few for the published ones
    ],
)
def test_a_claim_whose_values_say_nothing_is_not_run(claim, table, column, cell, cases):
    tables = cases[claim].satisfied
    assert verdicts(claim, {**tables, table: tables[table].assign(**{column: cell})}) == set()


@pytest.mark.parametrize(
    ("claim", "table", "column", "cell", "message"),
    [
        ("start_fixes_colour", "disentanglement", "start", "x", "column start has 'x' instead of a number"),
        ("diffusion_has_better_samples", "distance", "n", "x", "column n has 'x' instead of a number"),
        ("diffusion_has_better_samples", "distance", "n", "inf", "column n has inf instead of a number"),
        ("diffusion_has_better_samples", "distance", "extractor", "x", "column extractor holds 'x', which names no"),
        ("best_delta_of_samples_above_sigma", "minimum", "minima", "x", "minimum.csv: columns minima and num_curves"),
        ("best_delta_of_samples_above_sigma", "minimum", "num_curves", "", "minimum.csv: columns minima and num_"),
        ("departure_of_levels_changes_nothing", "departures", "difference", "x", "column difference has 'x'"),
    ],
)
def test_a_damaged_table_is_refused(ihdm_fails, cases, tmp_path, claim, table, column, cell, message):
    for name, rows in cases[claim].satisfied.items():
        rows.assign(**({column: cell} if name == table else {})).to_csv(tmp_path / f"{name}.csv", index=False)
    merged = [part for path in tmp_path.glob("*.csv") for part in ("--merged", path)]
    assert message in ihdm_fails(
        "claims", "check", "--settings", ROOT / "workflow/config/quick.yaml", *merged, "--output", tmp_path / "report"
    )
    assert not list((tmp_path / "report").glob("*"))


def test_one_split_has_no_order(cases):
    rows = cases["early_splits_change_more"].satisfied["hierarchy"].iloc[:1]
    assert verdicts("early_splits_change_more", {"hierarchy": rows}) == set()


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=lambda claim: claim.id)
def test_a_claim_says_what_where_and_why(claim):
    joint = {*merged_tables(QUICK), "sweep"}
    assert claim.text.endswith(".")
    assert claim.reason.endswith(".")
    assert claim.paper
    assert claim.table in joint


def test_every_claim_has_made_up_tables(cases):
    assert set(cases) == set(CLAIMS)


@pytest.mark.parametrize("verdict", ["edge", "flat"])
def test_a_minimum_at_an_edge_is_open_on_that_side(verdict, cases):
    tables = cases["best_delta_of_samples_above_sigma"].build(1.25, 0.2)
    tables["minimum"] = tables["minimum"].assign(verdict=verdict, last_ratio=1.45, minima="1.05..inf:1")
    assert verdicts("best_delta_of_samples_near_1.25_sigma", tables) == {"inconclusive"}
    assert verdicts("best_delta_of_samples_above_sigma", tables) == {"reproduced"}


def test_bands_reached_at_the_same_time_have_no_order(cases):
    """The table says 0 ± 0 of them, which is no measurement."""
    named = {"experiment": "digits_diffusion", "n": 9, "value": 0.0, "standard_error": 0.0}
    bands = pd.DataFrame({"band": [*"012345", "order"], **named})
    assert verdicts("coarse_to_fine", {"generation": bands}) == {"inconclusive"}
    mixed = bands.assign(value=[0.1, 0.5, 0.2, 0.4, 0.3, 0.2, 0.0])
    assert verdicts("coarse_to_fine", {"generation": mixed}) == {"not reproduced"}


def test_baselines_have_equal_images_network_and_training():
    pairs = set(baselines(QUICK))
    assert ("digits", "digits_diffusion") in pairs
    assert ("digits", "digits_diffusion-sampler_ddim50") in pairs
    assert ("digits_brief", "digits_diffusion_brief") in pairs
    assert not any(heat == "digits" and "brief" in baseline for heat, baseline in pairs)
    assert ("digits", "digits_blurring") not in pairs


def ledger(cases) -> pd.DataFrame:
    tables = {}
    for claim in ("little_delta_smooths", "coarse_to_fine", "best_delta_of_samples_near_1.25_sigma"):
        tables |= cases[claim].satisfied
    tables["minimum"] = tables["minimum"].assign(verdict="flat", first_ratio=1.1, low=1.1, minima="-inf..1.3:1")
    return check(tables, QUICK)


def test_the_ledger_has_these_columns_and_a_row_for_each_claim_and_experiment(cases):
    table = ledger(cases)
    assert tuple(table.columns) == COLUMNS
    assert not table.duplicated(["id", "experiment"]).any()
    assert set(table["id"]) == set(CLAIMS)
    assert table[["id", "claim", "experiment", "verdict", "rule", "paper", "table"]].notna().all(axis=None)
    assert set(table["verdict"]) <= {"reproduced", "not reproduced", "inconclusive", "not run"}


def test_holm_counts_every_test_that_was_made(cases):
    """Alone a verdict with p = 0.02 would be kept, among several that are undecided it is not."""
    rows = cases["coarse_to_fine"].build(0.8 + 2.33 * 0.05, 0.05)["generation"]
    tables = {"generation": rows[rows["experiment"] == "digits_diffusion"]}
    others = cases["early_splits_change_more"].hidden | cases["little_delta_smooths"].build(1.0, 1.0)
    alone, many = check(tables, QUICK), check(tables | others, QUICK)
    kept = [table.loc[table["verdict"] == "reproduced", "holm"].tolist() for table in (alone, many)]
    assert kept == [[True], [False]]
    assert not many.loc[many["verdict"] != "reproduced", "holm"].any()


def test_how_to_run_again_names_the_parts_of_the_experiment(cases):
    table = ledger(cases).set_index(["id", "experiment"])["how_to_rerun"]
    command = "snakemake claims --cores 2 --configfile FILE --forcerun "
    assert table["early_splits_change_more", "digits"] == f"{command}results/quick/metrics/hierarchy/digits.csv"
    assert table["noise_merges_paths", "toy"] == f"{command}results/quick/metrics/paths/toy.csv"
    pair = table["interpolation_smoother", "digits vs digits_diffusion"].split()[-2:]
    assert pair == [f"results/quick/metrics/interpolation/{name}.csv" for name in ("digits", "digits_diffusion")]


def test_json_is_valid_and_has_one_form(cases):
    table = ledger(cases)
    content = json.loads(as_json(table), parse_constant=lambda name: pytest.fail(name))
    assert set(content) == {"version", "tested", "claims", "borders"}
    assert content["borders"]["little_delta_smooths"] == [1.0]
    assert content["borders"].keys() == CLAIMS.keys()
    assert (content["version"], content["tested"]) == (1, int(table["p"].notna().sum()))
    assert all(tuple(row) == COLUMNS for row in content["claims"])
    assert {type(row["holm"]) for row in content["claims"]} == {bool}


def test_text_says_how_many_were_tested_and_what_was_not_run(cases):
    text = as_markdown(ledger(cases))
    assert "4 tests: 2 reproduced, 0 not reproduced, 2 inconclusive." in text
    assert "## Mathematical checks\n\n0 tests" in text
    assert "## Not run" in text
    assert "Samples have the FID published in the paper." in text
    assert "nan" not in text.replace("inconclusive", "")
    assert "Nothing was run." in as_markdown(check({}, QUICK))


def test_scales_without_some_tables_are_checked_on_the_others():
    assert set(available_tables(QUICK)) == needed_tables()
    none = QUICK.model_copy(update={"diagnostics": ()})
    assert needed_tables() - set(available_tables(none)) >= {"generation", "paths", "asymptotics"}


def test_what_trainings_differ_in_anyway_is_in_the_interval_of_a_departure_of_training(cases):
    """Seeds apart by as much as the departure leave it open; without seeds there is no verdict."""
    claim = "departure_of_levels_changes_nothing"
    tables = cases[claim].build(0.3, 0.001)
    assert verdicts(claim, tables) == {"not reproduced"}
    sweep = tables["sweep"]
    apart = sweep.assign(value=sweep["value"].where(sweep["swept"].isna(), 2.6))
    assert verdicts(claim, tables | {"sweep": apart}) == {"inconclusive"}
    assert verdicts(claim, tables | {"sweep": sweep[sweep["swept"].isna()]}) == set()


def test_a_departure_from_a_distance_below_zero_is_no_agreement(cases):
    """As the kernel distance of samples that are as good as real images may be."""
    claim = "departure_of_rounding_changes_nothing"
    tables = cases[claim].build(0.3, 0.001)
    tables["departures"] = tables["departures"].assign(value_described=-0.01)
    assert verdicts(claim, tables) == {"not reproduced"}


def with_seeds(tables):
    """Tables of one training each as those of an experiment's seeds 0, 1, …"""
    parts = [
        {
            name: table.assign(experiment=table["experiment"] + (f"-seed{seed}" if seed else ""))
            for name, table in one.items()
        }
        for seed, one in enumerate(tables)
    ]
    return {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]}


def only_row(table, claim):
    (found,) = table[(table["id"] == claim) & (table["verdict"] != "not run")].to_dict("records")
    return found


@pytest.mark.parametrize("claim", OVER_TRAININGS)
def test_a_claim_of_three_seeds_has_an_interval_over_trainings(claim, cases):
    """Three that agree decide what one decides; three that disagree leave it open, however exact each is."""
    good, bad = cases[claim].good, cases[claim].bad
    for values, verdict in (
        ((good, 1.01 * good, 0.99 * good), "reproduced"),
        ((good, bad, good), "inconclusive"),
        ((good,), "reproduced"),
    ):
        found = only_row(check(with_seeds([cases[claim].build(value, 1e-6) for value in values]), SEEDS), claim)
        assert (found["verdict"], found["trainings"]) == (verdict, len(values))
        assert "seed" not in found["experiment"]


@pytest.mark.parametrize(("is_seeded", "factor"), [(False, 1), (True, 2**0.5)])
def test_the_interval_over_three_trainings_is_student_s(cases, is_seeded, factor):
    """4.303 · 0.1/√3 of heat if diffusion has 1 with every seed; if its seeds spread alike, they are no pairs."""
    claim = "diffusion_has_better_samples"
    tables = with_seeds([cases[claim].build(value, 1e-6) for value in (2.0, 2.1, 1.9)])
    if is_seeded:
        rows = tables["distance"]
        is_baseline = rows["experiment"].str.contains("diffusion")
        rows.loc[is_baseline, "value"] = rows.loc[~is_baseline, "value"].to_numpy() - 1
    found = only_row(check(tables, SEEDS), claim)
    assert found["experiment"] == "digits vs digits_diffusion"
    assert found["value"] == pytest.approx(1.0)
    assert [found["value"] - found["low"], found["high"] - found["value"]] == pytest.approx(
        [factor * 0.24841] * 2, abs=1e-4
    )


def test_trainings_share_the_test_images(cases):
    """Bounds of three trainings that agree still have the error over the images of which all are measured."""
    claim = "markov_bound_is_tighter"
    built = cases[claim].build(-1.0, 0.1)
    one, several = (only_row(check(with_seeds([built] * count), SEEDS), claim) for count in (1, 3))
    assert (several["trainings"], several["value"]) == (3, one["value"])
    assert [several["low"], several["high"]] == pytest.approx([one["low"], one["high"]])
    assert one["high"] > one["value"]


def test_what_few_images_cost_is_found_for_each_seed():
    values = yaml.safe_load((ROOT / "workflow/config/quick.yaml").read_text())
    pair = ("digits_brief", "digits_diffusion_brief")
    for name in pair:
        values["experiments"][f"{name}_few"] = {**values["experiments"][name], "num_train": 50, "title": f"{name} few"}
        values["sweeps"]["seed"][f"{name}_few"] = [1, 2]
    del values["sweeps"]["num_train"], values["figures"]["data_efficiency"]
    config = parse_config(values)
    named = {"set": "samples", "n": 500, "standard_error": 1e-6}
    named |= {"metric": "kernel_distance_held_out", "extractor": "dct64"}
    cost = {"digits_brief": (1.0, 1.1, 0.9), "digits_diffusion_brief": (2.0, 2.1, 1.9)}
    rows = [
        {**named, "experiment": f"{name}{few}{seed}", "delta_ratio": ratio, "value": value}
        for name, ratio in zip(pair, (1.25, 0.0), strict=True)
        for number, seed in enumerate(("", "-seed1", "-seed2"))
        for few, value in (("", 5.0 * number), ("_few", 5.0 * number + cost[name][number]))
    ]
    found = only_row(check({"sweep": pd.DataFrame(rows)}, config), "more_data_efficient")
    assert (found["experiment"], found["trainings"]) == (" vs ".join(pair), 3)
    assert found["value"] == pytest.approx(-1.0)
    assert found["high"] - found["value"] == pytest.approx(2**0.5 * 0.24841, abs=1e-4)


def test_several_trainings_are_judged_by_their_spread(cases):
    """Three seeds that disagree leave open what each of them alone would decide; the ledger names their number."""
    claim, tables = "diffusion_has_better_samples", cases["diffusion_has_better_samples"].build(2.0, 0.001)
    row = tables["distance"].iloc[0].to_dict()
    pair = "digits_brief vs digits_diffusion_brief"
    names = ("digits_brief", "digits_brief-seed1", "digits_brief-seed2")
    baseline = {**row, "experiment": "digits_diffusion_brief", "delta_ratio": 0.0, "value": 1.0}
    for values, verdict in (((2.0, 2.1, 1.9), "reproduced"), ((2.0, 0.5, 1.2), "inconclusive")):
        rows = [{**row, "experiment": name, "value": value} for name, value in zip(names, values, strict=True)]
        found = check({"distance": pd.DataFrame([*rows, baseline])}, QUICK).set_index(["id", "experiment"])
        assert found.loc[(claim, pair), "verdict"] == verdict
        assert found.loc[(claim, pair), "trainings"] == 1  # of diffusion one was trained
    assert found.loc[(claim, "digits vs digits_diffusion"), "verdict"] == "not run"


def test_mathematical_checks_are_separate_from_findings():
    kinds = {claim.id: claim.kind for claim in CLAIMS.values()}
    assert kinds["heat_is_gaussian_blur"] == kinds["langevin_at_root_two"] == "mathematical check"
    assert kinds["gradients_more_local"] == "finding"
