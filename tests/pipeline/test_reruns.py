"""What Snakemake plans after a change: a finished run and one change of each kind.

That a change reaches these commands and settings and no others is tested in ``tests/storage/test_code.py`` and
``tests/config/test_reruns.py``.
"""

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FROM_SWEEP = dict.fromkeys(
    ("figure_blur_max", "figure_data_efficiency", "figure_sweep_curves", "claims", "report_tables", "report", "all"), 1
)
"""The jobs that follow when any measure of samples changes."""


@pytest.mark.parametrize("profile", ["default", "workstation", "slurm"])
def test_nothing_is_done_twice(smoke_results, snakemake, profile):
    resources = ["--set-resources", "models:runtime=100", "samples:mem_mb=1000"]
    again = snakemake(smoke_results, "-n", "--workflow-profile", f"profiles/{profile}", *resources)
    assert "Nothing to be done" in again.text


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the pipeline, to change, with Snakemake's records of the finished run."""
    folder = tmp_path / "checkout"
    for name in ("ihdm", "workflow", "profiles", ".snakemake/metadata"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(ROOT / name, folder)
    return folder


def edit(checkout: Path, *changes: tuple[str, str, str]) -> None:
    for name, old, new in changes:
        text = (checkout / name).read_text()
        assert old in text
        (checkout / name).write_text(text.replace(old, new))


def test_a_changed_metric_is_measured_again_and_nothing_is_trained(smoke_results, snakemake, checkout):
    edit(checkout, ("ihdm/metrics/memorization.py", "\nimport", "\nANOTHER = 1\nimport"))
    assert snakemake(smoke_results, "-n", checkout=checkout).jobs == {
        "metrics_memorisation": 4,
        "metrics_table": 1,
        "metrics_sweep": 1,
        "figure_neighbours": 1,
        **FROM_SWEEP,
    }


def test_no_edit_trains_again_or_prepares_data_again(smoke_results, snakemake, checkout):
    """Of the method, a command line, an environment or a default; but outdated networks are reported."""
    settings = "ihdm/config/settings.py"
    edit(
        checkout,
        ("ihdm/objective.py", "\nimport", "\nANOTHER = 1\nimport"),
        ("workflow/rules/models.smk", "--previews {params.previews:q} ", "--previews  {params.previews:q} "),
        ("environment.yml", "dependencies:", "dependencies: # other ones"),
        (settings, "gradient_clip: Positive = Field(default=1.0", "gradient_clip: Positive = Field(default=2.0"),
        (settings, "skip_broken: bool = Field(default=False", "skip_broken: bool = Field(default=True"),
    )  # fmt: skip
    jobs = snakemake(smoke_results, "-n", checkout=checkout).jobs
    assert jobs["samples"] == 5
    assert jobs["metrics_errors"] == 2
    assert not {"models", "data"} & jobs.keys()
    # Nothing has to be done for this file, and still the outdated network is reported.
    again = snakemake(smoke_results, smoke_results / "data/digits/train.npy", checkout=checkout)
    assert "Nothing to be done" in again.text
    assert f"{smoke_results}/models/digits/model.meta.json: its result was made by other code" in again.text


def test_one_more_delta_runs_only_what_depends_on_it(smoke_results, snakemake):
    assert snakemake(smoke_results, "-n", sweeps__delta_ratio__digits=[0, 2]).jobs == {
        "samples": 1,
        "metrics_samples": 1,
        "metrics_likelihood": 1,
        "metrics_likelihood_cost": 1,
        "metrics_minimum_distance": 1,  # three δ now have a minimum
        "metrics_minimum_likelihood": 1,
        "metrics_joints": 1,
        "metrics_evaluations": 1,  # the best δ may be another
        "models_export": 1,  # whose card has the best bound
        "metrics_table": 6,
        "metrics_sweep": 1,
        "figure_delta_samples": 1,
        "figure_delta_curve": 1,
        "figure_evaluations": 1,
        **FROM_SWEEP,
    }


def test_another_number_of_parts_draws_only_new_sets_in_parts(smoke_results, snakemake):
    changes = {"evaluation__num_shards": 3, "sweeps__delta_ratio__digits": [0, 1.5]}
    jobs = snakemake(smoke_results, "-n", **changes).jobs
    assert (jobs["samples"], jobs["samples_shard"], jobs["samples_gather"]) == (0, 3, 1)


def test_one_more_sigma_trains_one_more_network(smoke_results, snakemake):
    jobs = snakemake(smoke_results, "-n", sweeps__sigma__digits=[0.02]).jobs
    assert (jobs["models"], jobs["samples"], jobs["data"]) == (1, 2, 0)


def test_deleted_files_come_back_alone(smoke_results, snakemake):
    """Each of the files that one job writes."""
    names = ("figures/psd.pdf", "figures/paths.png", "metrics/sweep.parquet")
    for name in names:
        (smoke_results / name).rename(smoke_results / name.replace("/", "_"))
    jobs = snakemake(smoke_results, "-n").jobs
    for name in names:
        (smoke_results / name.replace("/", "_")).rename(smoke_results / name)
    assert {"figure_psd", "figure_paths", "metrics_sweep", "report"} <= jobs.keys()
    assert not {"figure_data", "metrics_table", "models"} & jobs.keys()


def test_a_report_gathers_all(smoke_results, snakemake):
    report = smoke_results.parent / "report.html"
    assert snakemake(smoke_results, "--report", report).status == 0
    text = report.read_text()
    for category in ("Page", "Figures", "Samples", "Tables"):
        assert category in text
    assert "heat removes them first" in text  # the caption of a figure
