import matplotlib.pyplot as plt
import pandas as pd
import pytest

from ihdm.figures.delta_curve import draw


def distance_rows(**columns):
    rows = {
        "dataset": "d", "metric": "kernel_distance", "extractor": "dct64", "low": 0.8, "high": 1.4, "value": 1.0,
        "set": "samples", "n": 20, "delta_ratio": 1.0,
    }  # fmt: skip
    return pd.DataFrame([rows | columns])


@pytest.fixture
def inputs(tmp_path):
    """Two experiments on one data set, the second ten times worse; the second's minimum lies at the edge."""
    files = {"distance": {}, "real": {}, "likelihood": {}, "likelihood_curve": {}, "minimum": {}}
    pd.concat(
        [distance_rows(set="train", n=20, value=None), distance_rows(set="train", n=10, value=0.5, low=0.4, high=0.6)]
    ).to_csv(tmp_path / "real.csv", index=False)
    minimum = [
        {"experiment": name, "metric": metric, "verdict": verdict, "low": 1.0, "high": 1.5}
        for name, verdict in (("a", "inside"), ("b", "edge"))
        for metric in ("frechet_distance", "kernel_distance", "bits_per_dim")
    ]
    pd.DataFrame(minimum).to_csv(tmp_path / "minimum.csv", index=False)
    for name, scale in (("a", 1), ("b", 10)):
        files["distance"][name] = {}
        for ratio in (1.0, 1.25, 1.5):
            path = tmp_path / f"{name}{ratio}.csv"
            distance_rows(value=scale, low=0.8 * scale, high=1.4 * scale, delta_ratio=ratio).to_csv(path, index=False)
            files["distance"][name][str(ratio)] = path
        bound = pd.DataFrame(
            {"delta_ratio": [1, 1.5], "bits_per_dim": [9 * scale, 10 * scale], "standard_error": 0.1, "n": 200}
        )
        bound.to_csv(tmp_path / f"{name}.csv", index=False)
        files["real"][name] = {"": tmp_path / "real.csv"}
        files["likelihood"][name] = {"": tmp_path / f"{name}.csv"}
        files["minimum"][name] = {"": tmp_path / "minimum.csv"}
    return files


@pytest.fixture
def figure(inputs):
    figure = draw(inputs)
    yield figure
    plt.close(figure)


def texts(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_the_floor_is_shown_wherever_there_is_one(figure):
    """Too few training images are left for n = 20, but not for n = 10."""
    assert "real images, n = 10" in texts(figure)
    assert any(0.5 in line.get_ydata() for line in figure.axes[0].lines)


def test_a_minimum_at_the_edge_is_marked_as_such(figure):
    assert {"minimum", "minimum, or beyond"} <= set(texts(figure))
    hatches = [patch.get_hatch() for axes in figure.axes for patch in axes.patches if patch.get_label() != "minimum"]
    assert hatches.count("////") == 2  # both curves of the second experiment


def test_panels_of_one_data_set_share_their_axes(figure):
    above, below = figure.axes[:2], figure.axes[2:]
    assert above[0].get_ylim() == above[1].get_ylim()
    assert below[0].get_ylim() == below[1].get_ylim()
    assert above[0].get_ylim()[1] > 14


def test_what_a_value_takes_as_stored_is_shown(figure):
    assert all(any(set(line.get_ydata()) == {8} for line in axes.lines) for axes in figure.axes[2:])


def test_intervals_may_be_lopsided(figure):
    """They are drawn from low to high, not as far below as above."""
    (bars,) = figure.axes[0].containers
    segment = bars.lines[2][0].get_segments()[0]
    assert segment[:, 1].tolist() == pytest.approx([0.8, 1.4])


def test_the_distance_is_the_one_that_may_rank_samples(inputs, figure):
    """With 20 images per feature or more that is the Fréchet distance."""
    assert figure.axes[0].get_ylabel() == "kernel distance"
    for name in ("a", "b"):
        for path in inputs["distance"][name].values():
            rows = pd.read_csv(path).assign(n=1280)
            pd.concat([rows, rows.assign(metric="frechet_distance", value=3.0, low=2.0, high=4.0)]).to_csv(
                path, index=False
            )
    many = draw(inputs)
    assert many.axes[0].get_ylabel() == "Fréchet distance"
    assert many.axes[0].containers[0].lines[0].get_ydata().tolist() == [3.0] * 3
    plt.close(many)
