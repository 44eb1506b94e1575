"""What a change of the configuration reaches: a stage runs again if the settings it is given are others."""

import copy
from pathlib import Path

import pytest
import yaml

from ihdm.config.reading import parse_config, read_config
from ihdm.config.scale import Config
from ihdm.measures import jobs

ROOT = Path(__file__).parents[2]
SMOKE = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())


def settings_of_stages(config: Config) -> dict[str, str]:
    """The settings of every job by its rule and wildcards, as rules write them on command lines."""
    stages = {
        "models": lambda name: config.variants[name].experiment,
        "samples": config.sampling,
        "models_calibration": config.calibration,
        "samples_diagnose": config.sampling_diagnostics,
    }
    found = {
        f"{stage} {name}": of_variant(name).model_dump_json()
        for stage, of_variant in stages.items()
        for name in config.variants
    }
    found |= {f"delta_ratios {name}": str(variant.delta_ratios) for name, variant in config.variants.items()}
    for job in jobs().values():
        for run in job.first.runs(config):
            words = (f"metrics_{job.name}", run.experiment or run.dataset, run.ratio, run.split)
            found[" ".join(filter(None, words))] = job.settings(run)
    return found


def changed(path: str, value: object) -> Config:
    """The smoke scale with one more value, e.g. at ``sweeps.sigma.digits``."""
    values = copy.deepcopy(SMOKE)
    *parents, last = path.split(".")
    place = values
    for key in parents:
        place = place.setdefault(key, {})
    place[last] = value
    return parse_config(values)


DELTA = {
    "delta_ratios digits",
    *(f"metrics_{job} digits" for job in ("likelihood", "likelihood_cost", "joints", "evaluations")),
    *(
        "metrics_samples digits 2",
        "metrics_minimum_distance digits",
        "metrics_minimum_likelihood digits",
    ),  # only after the change
}
MEASURED = {
    f"{stage} {name}"
    for stage in ("samples", "samples_diagnose", "models_calibration")
    for name in ("digits", "digits_diffusion", "digits_diffusion-num_train40", "digits_whitened")
} | {
    *(f"metrics_{job} digits" for job in ("asymptotics", "evaluations", "restoration")),
    *(f"metrics_{job} {name}" for job in ("errors", "joints", "milestones") for name in ("digits", "digits_whitened")),
}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("sweeps.delta_ratio.digits", [0, 2], DELTA),
        ("evaluation.num_shards", 3, set()),
        ("evaluation.num_samples", 30, set()),
        ("evaluation.micro_batch", 5, MEASURED),
        ("experiments.digits.run.save_minutes", 9, set()),
        ("figures.psd", ["digits", "digits_diffusion"], set()),
        ("studies.digits.counts", [6], {"metrics_evaluations digits"}),
        ("restoration.digits.num_images", 5, {"metrics_restoration digits"}),
    ],
)
def test_a_change_reaches_these_settings_alone(path, value, expected):
    before, after = settings_of_stages(parse_config(copy.deepcopy(SMOKE))), settings_of_stages(changed(path, value))
    assert {stage for stage in before | after if before.get(stage) != after.get(stage)} == expected


@pytest.mark.parametrize(
    ("path", "value", "added", "trained"),
    [
        ("sweeps.sigma.digits", [0.02], "digits-sigma0.02", True),
        ("sweeps.seed.digits", [7], "digits-seed7", True),
        ("sweeps.rounding.digits", ["truncate"], "digits-rounding_truncate", False),
    ],
)
def test_one_more_swept_value_leaves_all_others_as_they_are(path, value, added, trained):
    plain, config = parse_config(copy.deepcopy(SMOKE)), changed(path, value)
    assert config.variants.keys() - plain.variants.keys() == {added}
    assert config.variants[added].is_trained == trained
    before, after = settings_of_stages(plain), settings_of_stages(config)
    assert {stage for stage in before if before[stage] != after.get(stage)} == {"metrics_sweep"}


@pytest.mark.parametrize(
    ("scale", "networks"),
    [
        ("config.yaml", 18),
        ("workflow/config/desk.yaml", 11),
        ("workflow/config/quick.yaml", 25),
        ("workflow/config/seeds.yaml", 33),
    ],
)
def test_scales_train_so_many_networks(scale, networks):
    assert sum(variant.is_trained for variant in read_config(ROOT / scale).variants.values()) == networks
