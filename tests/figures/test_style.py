"""What all figures share."""

import matplotlib.pyplot as plt
import pytest

from ihdm.figures.style import WIDTH, label_log, process_colours, shared_legend


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
    colours = process_colours([True, False, False])
    assert len(set(colours)) == 3
    red, green, blue = (int(colours[0][place : place + 2], 16) for place in (1, 3, 5))
    assert blue > green > red
    for colour in colours[1:]:
        assert int(colour[1:3], 16) > int(colour[5:], 16)
