"""What moved between runs: by the standard error of the difference, and only what both runs have."""

from pathlib import Path

import pandas as pd
import pytest

from ihdm.errors import UserError
from ihdm.report.comparison import compare, comparison_page, seed_spread

ROOT = Path(__file__).parents[2]


def numbers(*values: float | None, error: float = 0.1, **columns: object) -> pd.DataFrame:
    return pd.DataFrame([
        {"dataset": "d", "experiment": f"e{number}", "set": "samples", "metric": "frechet_distance",
         "delta_ratio": 1.25, "n": 10, "extractor": "dct64", "value": value, "standard_error": error, **columns}
        for number, value in enumerate(values)
    ])  # fmt: skip


def test_a_row_moves_beyond_the_error_of_the_difference():
    """√(0.1² + 0.1²) · 1.96 is 0.277."""
    found = compare(("a", numbers(1.0, 1.0, 1.0)), ("b", numbers(1.27, 1.28, 0.5)))
    assert found.rows["experiment"].tolist() == ["e2", "e1", "e0"]  # the farthest first
    assert found.rows["moved"].tolist() == [True, True, False]
    assert "2 of 3 measures" in found.sentence
    assert "about 0 are expected by chance" in found.sentence


def test_equal_values_do_not_move_whatever_their_error():
    found = compare(("a", numbers(1.0, 2.0, error=0.0)), ("b", numbers(1.0, 2.1, error=0.0)))
    assert found.moved["experiment"].tolist() == ["e1"]


def test_what_one_run_alone_has_or_has_no_error_is_counted_and_left_out():
    found = compare(("a", numbers(1.0, 2.0)), ("b", pd.concat([numbers(1.0), numbers(2.0, experiment="other")])))
    assert (len(found.rows), found.num_single) == (1, 2)
    missing = numbers(2.0, experiment="other", error=float("nan"))
    found = compare(("a", pd.concat([numbers(1.0), missing])), ("b", pd.concat([numbers(1.0), missing])))
    assert (len(found.rows), found.num_single) == (1, 2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (numbers(1.0), numbers(9.0, extractor="pca64")),
        (numbers(1.0, error=float("nan")), numbers(9.0)),
        (numbers(float("nan")), numbers(9.0)),
    ],
)
def test_runs_with_nothing_to_compare_are_refused(first, second):
    with pytest.raises(UserError, match="no measure has a value and an error in both a and b"):
        compare(("a", first), ("b", second))


def test_rows_with_equal_keys_are_left_out():
    """As those of real images in a table that names no data set."""
    real = numbers(1.0, 2.0, experiment=None, set="train").drop(columns="dataset")
    found = compare(("a", pd.concat([real, numbers(3.0)])), ("b", pd.concat([real, numbers(3.0)])))
    assert found.rows["value_first"].tolist() == [3.0]


def test_the_command_writes_page_and_table(ihdm, ihdm_fails, capfd, tmp_path):
    (tmp_path / "run/metrics").mkdir(parents=True)
    numbers(1.0, 1.0).to_csv(tmp_path / "run/metrics/sweep.csv", index=False)
    numbers(1.0, 2.0).drop(columns=["dataset", "extractor"]).to_csv(tmp_path / "kept.csv", index=False)
    outputs = ["--output", tmp_path / "compare.html", "--output", tmp_path / "compare.csv"]
    ihdm("report", "compare", tmp_path / "kept.csv", tmp_path / "run", *outputs)
    assert "1 of 2 measures differ" in capfd.readouterr().out
    assert pd.read_csv(tmp_path / "compare.csv")["moved"].tolist() == [True, False]
    page = (tmp_path / "compare.html").read_text()
    assert "2.00 ± 0.20" in page
    assert "https://" not in page
    assert (tmp_path / "compare.meta.json").exists()
    assert "add another to compare with" in ihdm_fails("report", "compare", tmp_path / "run", *outputs)
    assert "file not found" in ihdm_fails("report", "compare", tmp_path / "run", tmp_path / "gone", *outputs)
    assert "use a path that ends in .html or .csv" in ihdm_fails(
        "report", "compare", tmp_path / "run", tmp_path / "run", "--output", tmp_path / "x.pdf"
    )


def test_a_page_without_significant_changes():
    page = comparison_page([compare(("a", numbers(1.0)), ("b", numbers(1.0)))])
    assert "No significant changes." in page


def test_the_kept_numbers_can_be_compared():
    kept = pd.read_csv(ROOT / "docs/quick_numbers.csv")
    assert list(kept.columns) == [
        "experiment",
        "set",
        "metric",
        "extractor",
        "delta_ratio",
        "n",
        "value",
        "standard_error",
    ]
    assert not kept.duplicated(["experiment", "set", "metric", "extractor", "delta_ratio", "n"]).any()
    found = compare(("kept", kept), ("kept", kept))
    assert len(found.rows) > 200
    assert found.moved.empty


@pytest.mark.parametrize("target", ["quick", "compare"])
def test_make_prints_what_to_open(target):
    recipe = (ROOT / "Makefile").read_text().partition(f"\n{target}: ")[2].partition("\n\n")[0]
    assert 'echo "Open: file://$(CURDIR)/' in recipe


def seeds(*values: float) -> pd.DataFrame:
    names = [f"e{'' if number == 0 else f'-seed{number}'}" for number in range(len(values))]
    return numbers(*values, error=0.001).assign(experiment=names)


def test_what_seeds_differ_in_is_no_change():
    """Three seeds that differ by a tenth: Student's quantile of two degrees of freedom is 4.3."""
    spread = seed_spread(seeds(0.9, 1.0, 1.1), ["experiment", "metric"], ["metric"])
    assert spread["spread"].item() == pytest.approx(0.1 * 4.303 / 1.96, rel=1e-3)
    other = numbers(5.0, error=0.001).assign(experiment="other")
    real = numbers(1.0, error=0.001).assign(experiment=None, set="train")
    first = pd.concat([seeds(0.9, 1.0, 1.1), other, real])
    second = pd.concat([seeds(1.0, 0.9, 1.1), other.assign(value=6.0), real.assign(value=1.1)])
    found = compare(("a", first), ("b", second))
    assert found.moved["set"].tolist() == ["train"]  # images that no training changes
    assert "spread between seeds for 4 of them" in found.sentence
    second = second.assign(value=second["value"].where(second["experiment"] != "other", 15.0))
    assert "other" in set(compare(("a", first), ("b", second)).moved["experiment"])
    alone = compare(("a", other), ("b", other.assign(value=6.0)))
    assert (len(alone.moved), alone.rows["spread"].item()) == (1, 0.0)
