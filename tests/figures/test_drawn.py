"""Every figure that shows what a network has learned, drawn from made-up results, in grey and in colour."""

import json

import matplotlib.pyplot as plt
import pytest

from ihdm.__main__ import app
from ihdm.figures import is_animated

THREE = ("digits", "photos", "digits_diffusion")
FIGURES = ("trajectories",)


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
