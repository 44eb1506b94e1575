"""Every figure that shows what a network has learned, drawn from made-up results, in gray and in color."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from ihdm.__main__ import app
from ihdm.config.scale import FIGURES
from ihdm.errors import UserError
from ihdm.figures import is_animated
from ihdm.figures.processes import heat
from ihdm.figures.style import BASELINE, HEAT, WIDTH, set_style
from ihdm.heat import HeatProcess
from ihdm.measures.paths import SIGMAS
from ihdm.storage.images import tile

THREE = ("digits", "photos", "digits_diffusion")
BLURS = ("digits", "digits-blur_sigma_max2", "photos")
ELSEWHERE = {"delta_curve", "evaluations", "psd", "sweep_curves", "teaser", "training"}
"""Figures that other tests draw, or the smoke run alone."""
MADE_UP = sorted({*FIGURES} - ELSEWHERE)


@pytest.mark.parametrize("figure", ["hierarchy", "trajectories"])
def test_the_command_draws_three_experiments(figure, made_up, tmp_path, monkeypatch):
    monkeypatch.setattr("ihdm.figures.style.set_style", set_coarse_style)
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


@pytest.mark.parametrize("figure", MADE_UP)
def test_three_experiments_fit_on_a_page(figure, made_up, draw):
    draw(figure, made_up(figure, *(BLURS if figure == "blur_max" else THREE))).canvas.draw()


@pytest.mark.parametrize("figure", MADE_UP)
def test_one_experiment_fills_the_width_and_is_named(figure, made_up, draw):
    drawn = draw(figure, made_up(figure, "photos"))
    assert drawn.get_size_inches()[0] == WIDTH
    assert figure == "paths" or any("photos" in text for text in texts(drawn))  # those are of no experiment


@pytest.fixture
def drawn(made_up, draw):
    """Draw a figure of some experiments; return its inputs and its panels."""

    def drawn(figure, *experiments):
        inputs = made_up(figure, *experiments)
        return inputs, *draw(figure, inputs).axes

    return drawn


def row_labels(axes):
    return [label.get_text() for label in axes.get_yticklabels()]


def set_coarse_style(titles):
    set_style(titles)
    plt.rcParams["savefig.dpi"] = 50  # the same figure in less time


def texts(figure):
    return [text.get_text() for text in figure.findobj(plt.Text)]


def test_starts_stand_above_the_samples_from_them(drawn):
    inputs, axes = drawn("prior_samples", "digits")
    assert row_labels(axes) == ["start", "sample"]
    shown = axes.images[0].get_array()
    for kind, top in (("starts", 1), ("samples", 10)):
        first = np.load(inputs[kind]["digits"][""])[0, :, :, 0]
        assert np.array_equal(shown[top : top + 8, 1:9], first)


def test_samples_are_the_first_and_in_their_order(drawn):
    inputs, axes = drawn("uncurated_samples", "photos")
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


def test_a_tree_shows_each_state_once_and_the_distance_of_leaves(drawn):
    inputs, tree, distances = drawn("hierarchy", "digits")
    assert len(tree.images) == 1 + 2 + 4 + 8
    assert len(tree.lines) == 2 + 4 + 8
    assert row_labels(tree) == ["$k=40$", "$k=24$", "$k=12$", "samples"]
    table = pd.read_csv(inputs["hierarchy"]["digits"][""])
    (bars,) = distances.containers
    assert_line(bars.lines[0], table.sort_values("level"), "level")
    assert [line.get_ydata()[0] for line in distances.lines if line.get_linestyle() == "--"] == [table["null"].iloc[0]]


def test_two_ways_between_samples_and_how_even_all_are(drawn):
    inputs, images, measures, *others = drawn("interpolations", "photos", "digits")
    assert len(others) == 2
    assert images.images[0].get_array().shape == (2 * 17 + 1, 10 * 17 + 1, 3)
    table = pd.read_csv(inputs["measures"]["photos"][""]).set_index(["quantity", "space"])
    (bars,) = measures.containers
    names = row_labels(measures)
    assert bars.lines[0].get_xdata()[names.index("length, features")] == table.loc[("path_ratio", "features"), "value"]


def test_sums_are_scaled_about_mid_grey(made_up, draw):
    inputs = made_up("cumulative_sums", "digits")
    path = inputs["sums"]["digits"][""]
    np.savez(path, edges=[2, 1, 0], sums=np.stack([np.zeros((3, 8, 8, 1)), np.full((3, 8, 8, 1), -1e-3)]))
    sums, shares = draw("cumulative_sums", inputs).axes
    shown = sums.images[0].get_array()
    assert set(np.unique(shown[1:9, 1:9])) == {128}  # nothing
    assert set(np.unique(shown[1:9, 10:18])) == {0}
    table = pd.read_csv(inputs["shares"]["digits"][""])
    assert len(shares.lines) == table["range"].nunique()
    assert_line(shares.lines[0], table[table["range"] == 0], "frequency")


def test_gradients_of_nine_pixels_and_of_five_stages(drawn):
    inputs, *maps, shares = drawn("input_gradients", "digits")
    assert len(maps) == 9 + 5
    mean = np.load(inputs["gradients"]["digits"][""])["residual"].mean(axis=2)
    for axes, expected in zip(maps, [*mean[2], *mean[:, 4]], strict=True):
        relative = expected / np.abs(expected).max()
        shown = axes.images[0].get_array()
        np.testing.assert_allclose(shown * np.abs(shown), relative, atol=1e-6)  # colors go by the square root
        assert axes.images[0].norm.vmax == -axes.images[0].norm.vmin == 1
    table = pd.read_csv(inputs["measures"]["digits"][""])
    line = next(line for line in shares.lines if line.get_label() == "2 pixels")
    assert_line(line, table[table["quantity"] == "within_2"].sort_values("level"), "level")


def test_gradients_of_large_images_are_cropped(made_up, draw):
    inputs = made_up("input_gradients", "digits")
    path = inputs["gradients"]["digits"][""]
    maps = np.arange(40.0 * 40).reshape(40, 40) * np.ones((5, 9, 1, 1, 1))
    np.savez(path, levels=range(5, 0, -1), pixels=[(0, 39)] * 9, residual=maps, clean=maps)
    shown = draw("input_gradients", inputs).axes[0].images[0].get_array()
    window = maps[0, 0, 0, :32, 8:]
    np.testing.assert_allclose(np.square(shown), window / window.max(), atol=1e-6)


@pytest.mark.parametrize("num_train", [60, 20])
def test_neighbours_are_the_nearest_that_training_has_seen(num_train, made_up, draw):
    inputs = made_up("neighbours", "digits")
    table = pd.read_csv(inputs["memorisation"]["digits"][""]).assign(n_reference=num_train)
    table.to_csv(inputs["memorisation"]["digits"][""], index=False)
    samples = np.load(inputs["samples"]["digits"][""]) // 2
    np.save(inputs["samples"]["digits"][""], samples)
    train = np.load(inputs["train"]["digits"][""])[:num_train]
    (axes,) = draw("neighbours", inputs).axes
    assert len(axes.images) == 6 * (1 + 4 + 4)
    assert np.array_equal(axes.images[0].get_array(), samples[0, :, :, 0])
    apart = np.sqrt(((train / 255 - samples[0] / 255) ** 2).sum(axis=(1, 2, 3)))
    nearest = np.argsort(apart)[:4]
    for image, place in zip(axes.images[6:10], nearest, strict=True):
        assert np.array_equal(image.get_array(), train[place, :, :, 0])
    assert f"{apart[nearest[0]]:.2f}" in [text.get_text() for text in axes.texts]


def test_heat_is_blue_and_baselines_are_red_with_the_rank_correlation(made_up, draw):
    inputs = made_up("generation", "digits_diffusion", "digits")
    assert list(inputs["heat"]) == ["digits"]
    baseline, baseline_order, heat, heat_order = draw("generation", inputs).axes
    assert (baseline.get_title(), heat.get_title()) == ("digits_diffusion", "digits")
    bands = pd.read_csv(inputs["heat"]["digits"][""]).iloc[:-1]
    for axes, color in ((baseline_order, BASELINE), (heat_order, HEAT)):
        (bars,) = axes.containers
        assert bars.lines[0].get_color() == color
        assert_line(bars.lines[0], bands, "frequency")
        assert axes.get_title() == "rank correlation +0.97 (+0.95 … +0.99)"


def test_largest_blurs_ascend_and_each_has_its_measures(drawn):
    names = ["digits", "digits-blur_sigma_max2", "digits-blur_sigma_max8"]
    inputs, samples, distance, shares = drawn("blur_max", *names)
    labels = row_labels(samples)
    assert labels == [rf"$\sigma_{{B,\max}}={blur}$" for blur in (2, 4, 8)]
    first = [np.load(inputs["samples"][name][""])[0, :, :, 0] for name in (names[1], names[0], names[2])]
    for row, image in enumerate(first):
        assert np.array_equal(samples.images[0].get_array()[1 + 9 * row :, 1:9][:8], image)
    sweep = pd.read_csv(inputs["sweep"]["digits"][""])
    chosen = sweep[sweep["experiment"].isin(names) & (sweep["metric"] == "frechet_distance")]
    chosen = chosen[chosen["delta_ratio"] == 1.25].sort_values("blur_sigma_max")
    assert_line(distance.containers[0].lines[0], chosen, "blur_sigma_max")
    assert shares.containers[1].lines[0].get_ydata().tolist() == [1 / 2, 1 / 4, 1 / 8]


def test_what_does_not_blur_has_no_largest_blur(made_up, draw):
    with pytest.raises(UserError, match="'digits_diffusion' has no largest blur; remove it from the figure"):
        draw("blur_max", made_up("blur_max", "digits_diffusion"))


def test_quality_and_repeats_against_the_number_of_training_images(drawn):
    inputs, distance, pixels, features = drawn("data_efficiency", "digits", "digits_diffusion")
    sweep = pd.read_csv(inputs["sweep"]["digits"][""])
    family = sweep[(sweep["base"] == "digits") & sweep["swept"].isin([np.nan, "num_train"])].sort_values("num_train")
    family = family[family["delta_ratio"] == 1.25]
    near = family[family["metric"] == "share_near"]
    assert_line(distance.containers[0].lines[0], family[family["metric"] == "frechet_distance_held_out"], "num_train")
    assert_line(pixels.containers[0].lines[0], near[near["extractor"] == "pixels"], "num_train")
    assert_line(features.containers[0].lines[0], near[near["extractor"] == "dct"], "num_train")
    heat, baseline = (to_rgb(bars.lines[0].get_color()) for bars in distance.containers)
    assert heat[2] > heat[0]
    assert baseline[0] > baseline[2]


def test_experiments_of_one_kind_share_a_color(drawn):
    _, distance, *_ = drawn("data_efficiency", "digits", "digits-num_train100")
    assert len({bars.lines[0].get_color() for bars in distance.containers}) == 1


def test_without_numbers_of_training_images_there_is_nothing_to_draw(made_up, draw):
    with pytest.raises(
        UserError, match=r"no experiment on 'digits' sweeps the number of training images.*sweeps.num_train"
    ):
        draw("data_efficiency", made_up("data_efficiency", "digits_blurring"))


def test_noise_and_heat_take_the_same_image_away(made_up, draw):
    """Of each process an image is shown at every strength, the first as it is; heat keeps its mean to the end."""
    inputs = made_up("processes", "photos", "photos_diffusion")  # one data set, shown once
    pictures = [axes.images[0].get_array() for axes in draw("processes", inputs).findobj(Axes) if axes.images]
    assert len(pictures) == 5 + 5
    images = np.load(inputs["train"]["photos"][""]).mean(axis=-1) / 255
    image = max(images, key=np.std)
    np.testing.assert_allclose(pictures[0], image)
    np.testing.assert_allclose(pictures[5], image, atol=1e-12)
    assert [np.std(picture - image) for picture in pictures[:5]] == pytest.approx([0, 0.1, 0.2, 0.4, 0.8], rel=0.1)
    assert all(np.diff([np.std(picture) for picture in pictures[5:]]) < 0)
    assert pictures[9].mean() == pytest.approx(image.mean())


def test_heat_is_that_of_the_forward_process():
    image = np.random.default_rng(0).random((8, 12))
    process = HeatProcess(np.array([0.0, 1.5]), 8, 12)
    expected = process.blur(torch.as_tensor(image, dtype=torch.float32)[None, None], torch.tensor([1]))
    np.testing.assert_allclose(heat(image, 1.5), expected[0, 0], atol=1e-6)


def test_paths_merge_within_sigma_and_part_again(made_up, draw):
    inputs = made_up("paths", "digits", "photos")  # one toy, whatever experiments are named
    stored = np.load(inputs["paths"]["digits"][""])
    panels = draw("paths", inputs).axes
    forward, reverse = panels[:4], panels[4:]
    assert len(reverse) == 4
    assert [axes.get_title() for axes in forward] == [*(rf"$\sigma={s:g}$" for s in SIGMAS), "forward paths merge"]
    for place in range(3):
        assert len(forward[place].collections) == len(stored["points"])  # a band around each mean
        assert np.array_equal(reverse[place].lines[3].get_ydata(), stored["reverse"][place, 3])
    rows = pd.read_csv(inputs["measures"]["digits"][""]).query("quantity == 'branched' and sigma == 0.02")
    assert_line(reverse[3].lines[1], rows.sort_values("fraction"), "fraction")


def test_limits_of_the_toy_and_of_the_network(made_up, draw):
    inputs = made_up("asymptotics", "digits")
    table = pd.read_csv(inputs["asymptotics"]["digits"][""])
    toy_loss, network_loss, toy_power, network_power = draw("asymptotics", inputs).axes
    assert_line(toy_loss.containers[0].lines[0], table[table["part"] == "toy_loss"], "num_levels")
    assert_line(network_loss.containers[0].lines[0], table[table["part"] == "network_loss"], "level")
    live = table[(table["part"] == "toy_langevin") & (table["band"] == "live")].sort_values("delta_ratio")
    assert_line(toy_power.lines[0], live, "delta_ratio")
    assert len(network_power.containers) == 3 * 2  # levels, and δ/σ at each


def assert_line(line, table, column):
    assert line.get_xdata().tolist() == table[column].tolist()
    assert line.get_ydata().tolist() == pytest.approx(table["value"].tolist())


def test_restoration_shows_the_best_method_without_a_network(draw, made_up):
    figure = draw("restoration", made_up("restoration", "digits", "photos"))
    assert {"deblurring\n(Wiener)", "super\nresolution\n(Wiener)"} <= {
        text for axes in figure.axes for text in row_labels(axes)
    }
    panels = [axes for axes in figure.axes if "posterior" in row_labels(axes)]
    assert len(panels) == 4
    for axes in panels:
        points = sorted(float(line.get_xdata()[0]) for line in axes.lines if len(line.get_xdata()) == 1)
        assert points[-1] == 30.0
    blues = [line for axes in panels for line in axes.lines if to_rgb(line.get_color()) == to_rgb(HEAT)]
    hollow = [line for line in blues if line.get_markerfacecolor() == "white"]
    assert 0 < len(hollow) < len(blues)


def test_snapshots_are_compared_with_the_fully_trained_network_of_the_papers_prediction(made_up, draw):
    names = ("digits", "digits_whitened", "digits_diffusion")
    drawn = draw("training_efficiency", made_up("training_efficiency", *names))
    dashed = [line for axes in drawn.axes for line in axes.lines if line.get_linestyle() == "--"]
    assert [(line.get_label(), line.get_ydata()[0]) for line in dashed] == [
        ("digits, fully trained", 1.2),
        ("digits, fully trained", 0.12),
    ]
    assert [axes.get_yscale() for axes in drawn.axes] == ["log", "linear", "log"]
    curves = [line.get_xydata()[0] for line in drawn.axes[0].lines if line.get_marker() in "osD"]
    assert np.allclose(curves, [[550, 1 + 500 / 550]] * 3)
