import pandas as pd

from ihdm.figures.evaluations import Curve, draw, draw_measures
from ihdm.figures.style import set_style

TITLES = {
    "a": "clothes, heat",
    "b": "clothes, heat (whitened, DDIM, 64 steps)",
    "c": "clothes, diffusion (DDPM, 64 steps)",
}


def test_curves_are_named_by_process_prediction_and_sampler(tmp_path):
    set_style(TITLES)
    rows = [
        {"dataset": "clothes", "sampler": sampler, "evaluations": count, "metric": metric,
         "value": 1.0, "low": 0.9, "high": 1.1}
        for sampler in ("paper", "second", "ancestral")
        for count in (8, 16)
        for metric in ("frechet_distance", "kernel_distance", "relative_power_highest")
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    for name, sampler in zip(TITLES, ("paper", "second", "ancestral"), strict=True):
        table[table["sampler"] == sampler].to_csv(tmp_path / f"{name}.csv", index=False)
    real = table[table["sampler"] == "paper"].assign(set="train", n=100)
    real.to_csv(tmp_path / "real.csv", index=False)
    figure = draw(
        {
            "evaluations": {name: {"": tmp_path / f"{name}.csv"} for name in TITLES},
            "real": {name: {"": tmp_path / "real.csv"} for name in TITLES},
        }
    )
    (legend,) = figure.legends
    named = {text.get_text() for text in legend.get_texts()}
    assert named == {"real images", "heat: paper, default δ", "heat, whitened: second order", "diffusion: DDPM"}


def test_a_sampler_has_one_color_and_a_process_one_marker(tmp_path):
    set_style(TITLES)
    rows = {"metric": "frechet_distance", "evaluations": 8, "value": 1.0, "low": 0.9, "high": 1.1}
    table = pd.DataFrame([rows])
    drawn = {
        "clothes": [Curve("heat", "paper", table), Curve("heat", "Markov", table), Curve("flow", "Markov", table)],
    }
    real = {"clothes": table.assign(set="train", n=100)}
    _, grid = draw_measures(drawn, real, "evaluations")
    paper, heat, flow = (container.lines[0] for container in grid[0][0].containers)
    assert heat.get_color() == flow.get_color() != paper.get_color()
    assert heat.get_marker() == paper.get_marker() != flow.get_marker()
    assert heat.get_linestyle() != flow.get_linestyle()
