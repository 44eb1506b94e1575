"""What figures say that they are drawn from."""

import importlib
from pathlib import Path

import pytest

from ihdm.config.scale import FIGURES
from ihdm.figures import Input, figure_inputs

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("figure", FIGURES)
def test_each_module_is_a_figure(figure):
    """It has inputs and a function that draws, and its caption is the one file beside it."""
    module = importlib.import_module(f"ihdm.figures.{figure}")
    assert module.INPUTS
    assert all(isinstance(source, Input) for source in module.INPUTS.values())
    assert callable(module.draw)
    assert (ROOT / f"workflow/report/{figure}.rst").read_text().strip()


def test_inputs_are_named_by_kind_experiment_and_ratio(quick):
    shown = ("digits-blur_sigma_max2", "photos")
    quick = quick.model_copy(update={"figures": {"delta_curve": shown, "training": shown}})
    files = figure_inputs("delta_curve", quick)
    assert files["distance:photos:1.25"] == "metrics/distance/photos/delta1.25.csv"
    assert files["real:digits-blur_sigma_max2"] == "metrics/distance/real/digits.csv"
    history = figure_inputs("training", quick)["history:digits-blur_sigma_max2"]
    assert history == "models/digits-blur_sigma_max2/history.csv"


def test_what_an_experiment_does_not_have_is_left_out(quick):
    """Starts without noise have no likelihood, and one δ/σ makes no curve."""
    quick = quick.model_copy(update={"figures": {"delta_curve": ("digits", "digits-prior_noise_none")}})
    files = figure_inputs("delta_curve", quick)
    assert "likelihood:digits" in files
    assert not {"likelihood:digits-prior_noise_none", "minimum:digits-prior_noise_none"} & set(files)


def test_one_file_at_the_ratio_that_an_experiment_is_sampled_at(quick, monkeypatch):
    """And the features are those of its data set's extractor."""
    quick = quick.model_copy(update={"figures": {"psd": ("photos", "digits_diffusion")}})
    source = Input("features/{extractor}/{experiment}/delta{default_ratio}/samples.npz")
    monkeypatch.setattr("ihdm.figures.psd.INPUTS", {"features": source})
    assert figure_inputs("psd", quick) == {
        "features:photos": "features/pca/photos/delta1.25/samples.npz",
        "features:digits_diffusion": "features/dct/digits_diffusion/delta0/samples.npz",
    }
