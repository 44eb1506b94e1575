"""Every figure that shows what a network has learned, drawn from made-up results, in grey and in colour."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from ihdm.__main__ import app
from ihdm.figures import is_animated
from ihdm.storage.images import tile

THREE = ("digits", "photos", "digits_diffusion")
FIGURES = (
    "prior_samples",
    "shared_start",
    "trajectories",
    "uncurated_samples",
)


@pytest.mark.parametrize("figure", FIGURES)
def test_the_command_draws_three_experiments(figure, made_up, tmp_path):
    inputs = made_up(figure, *THREE)
    words = []
    for kind, experiments in inputs.items():
        for experiment, files in experiments.items():
            for ratio, path in files.items():
                words += ["--input", f"{kind}:{experiment}{':' * bool(ratio)}{ratio}={path}"]
    output = tmp_path / "out" / "figure.png"
    output.parent.mkdir()
    app(["figures", "draw", figure, *words, "--output", str(output)], standalone_mode=False)
    endings = {".pdf", ".png", ".webp"} if is_animated(figure) else {".pdf", ".png"}
    recorded = json.loads(output.with_suffix(".meta.json").read_text())["outputs"]
    assert {path.suffix for path in output.parent.iterdir()} == endings | {".json"}
    assert set(recorded) == {str(output.with_suffix(ending)) for ending in endings}


@pytest.mark.parametrize("experiment", ["digits", "photos"])
@pytest.mark.parametrize("figure", FIGURES)
def test_one_experiment_fills_the_width_and_is_named(figure, experiment, made_up, draw):
    from ihdm.figures.style import WIDTH

    drawn = draw(figure, made_up(figure, experiment))
    assert drawn.get_size_inches()[0] == WIDTH
    assert any(experiment in text for text in texts(drawn))


def texts(figure):
    return [text.get_text() for text in figure.findobj(plt.Text)]


def test_starts_stand_above_the_samples_from_them(made_up, draw):
    inputs = made_up("prior_samples", "digits")
    (axes,) = draw("prior_samples", inputs).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["start", "sample"]
    shown = axes.images[0].get_array()
    for kind, top in (("starts", 1), ("samples", 10)):
        first = np.load(inputs[kind]["digits"][""])[0, :, :, 0]
        assert np.array_equal(shown[top : top + 8, 1:9], first)


def test_samples_are_the_first_and_in_their_order(made_up, draw):
    inputs = made_up("uncurated_samples", "photos")
    (axes,) = draw("uncurated_samples", inputs).axes
    samples = np.load(inputs["samples"]["photos"][""])
    assert np.array_equal(axes.images[0].get_array(), tile(samples[:60], 15))


def test_two_starts_stand_side_by_side_with_the_same_noises(made_up, draw):
    inputs = made_up("shared_start", "digits")
    grid = np.load(inputs["grid"]["digits"][""])
    panels = draw("shared_start", inputs).axes
    assert len(panels) == 2
    for start, axes in enumerate(panels):
        expected = tile(np.rint(np.clip(grid[start], 0, 1) * 255).astype(np.uint8), 8)
        assert np.array_equal(axes.images[0].get_array(), expected[..., 0])
