"""What all figures share."""

import matplotlib.pyplot as plt
import pytest
import seaborn as sns
from matplotlib.colors import to_hex

from ihdm.figures.style import WIDTH, label_log, process_colors, set_style, shared_legend


def test_the_theme_is_seaborns():
    set_style()
    found = dict(plt.rcParams)
    plt.rcdefaults()
    plt.switch_backend("agg")
    sns.set_theme(context="paper", style="ticks", palette="deep")
    plt.rcParams.update({"figure.dpi": 150, "savefig.dpi": 200, "axes.titlesize": "medium", "pdf.fonttype": 42})
    for name, value in plt.rcParams.items():
        if name == "axes.prop_cycle":
            colors = [[to_hex(entry["color"]) for entry in cycle] for cycle in (found[name], value)]
            assert colors[0] == colors[1]
        elif name != "image.cmap":  # every figure chooses its own
            same = pytest.approx(value) if isinstance(value, float) else value
            assert found[name] == same or to_hex(found[name]) == to_hex(value), name


@pytest.fixture
def axes():
    figure, axes = plt.subplots(figsize=(WIDTH, 2), layout="constrained")
    yield axes
    plt.close(figure)


@pytest.mark.parametrize(("low", "high"), [(4.1, 8.6), (0.1, 0.6), (3, 40), (1e-4, 1)])
def test_logarithmic_axes_have_plain_numbers_whatever_they_span(axes, low, high):
    axes.set(yscale="log", ylim=(low, high))
    label_log(axes.yaxis)
    axes.figure.canvas.draw()
    shown = [float(label.get_text()) for label in axes.get_yticklabels()]
    assert 2 <= sum(low <= number <= high for number in shown) <= 6


@pytest.mark.parametrize("number", [1, 4, 9])
def test_a_shared_legend_stays_within_the_width(axes, number):
    for entry in range(number):
        axes.plot([0, 1], label=f"a sampler of name {entry}")
    shared_legend(axes.figure, [axes])
    axes.figure.canvas.draw()
    box = axes.figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= axes.figure.bbox.width


def test_heat_is_blue_and_others_are_red_each_in_its_own_shade():
    colors = process_colors([True, False, False])
    assert len(set(colors)) == 3
    red, green, blue = (int(colors[0][place : place + 2], 16) for place in (1, 3, 5))
    assert blue > green > red
    for color in colors[1:]:
        assert int(color[1:3], 16) > int(color[5:], 16)
