"""Kinds of decision, against closed forms and values worked out by hand."""

import math

import pytest
from scipy.stats import norm
from scipy.stats import t as student_t

from ihdm.claims.decisions import (
    RISING,
    Measured,
    Minimum,
    Outcome,
    above,
    below,
    equivalent,
    every,
    holm,
    mean,
    minimum_between,
)

YES, NO, MAYBE = Outcome.REPRODUCED, Outcome.NOT_REPRODUCED, Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("decision", "value", "outcome", "distance"),
    [
        (above(1.0), 1.5, YES, 0.5),
        (above(1.0), 0.5, NO, 0.5),
        (above(1.0), 1.1, MAYBE, 0.1),
        (above(1.0), 0.9, MAYBE, 0.1),
        (below(1.0), 0.5, YES, 0.5),
        (below(1.0), 1.5, NO, 0.5),
        (below(1.0), 1.1, MAYBE, 0.1),
        (equivalent(1.5, 0.5), 1.4, YES, 0.4),
        (equivalent(1.5, 0.5), 2.5, NO, 0.5),
        (equivalent(1.5, 0.5), 0.6, NO, 0.4),
        (equivalent(1.5, 0.5), 1.9, MAYBE, 0.1),
        (equivalent(1.0, 0.5), 1.1, YES, 0.4),
        (equivalent(1.0, 0.5), 2.0, NO, 0.5),
        (equivalent(1.0, 0.5), 0.6, MAYBE, 0.1),
    ],
)
def test_single_values_are_decided_by_their_interval_and_a_normal_p_value(decision, value, outcome, distance):
    verdict = decision.decide([Measured.of(value, 0.1)])
    assert verdict.outcome is outcome
    assert verdict.p == pytest.approx(2 * norm.sf(distance / 0.1), rel=1e-5)
    assert (verdict.p <= 0.05) == (outcome is not MAYBE)


@pytest.mark.parametrize("decision", [above(0.0), below(0.0), equivalent(0.5, 0.5)], ids=str)
def test_an_exact_value_on_the_border_does_not_satisfy_it(decision):
    verdict = decision.decide([Measured(0.0, 0.0, 0.0)])
    assert (verdict.outcome, verdict.p) == (NO, 0.0)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [(1.0, 1.5, YES), (1.0, 1.6, MAYBE), (0.5, 1.0, NO), (1.5, math.inf, NO), (-math.inf, math.inf, MAYBE)],
)
def test_the_place_of_a_minimum_may_touch_what_was_ruled_out(low, high, outcome):
    value = 1.25 if low <= 1.25 <= high else min(max(low, 0.75), 1.75)
    place = Minimum(value, low, high, ((low, high, 1.0),), 10_000)
    assert minimum_between(1.0, 1.5).decide([place]).outcome is outcome


@pytest.mark.parametrize(
    ("beyond", "outcome", "p"), [(0.0, YES, 2 / 2001), (0.02, YES, 0.04), (0.03, MAYBE, 0.06), (1.0, NO, 2 / 2001)]
)
def test_the_p_value_of_a_place_is_the_share_of_curves_beyond_the_border(beyond, outcome, p):
    minima = ((1.0, 1.5, 1 - beyond), (1.5, 2.0, beyond))
    verdict = minimum_between(1.0, 1.5).decide([Minimum(1.25, 1.0, 2.0, minima, 2000)])
    assert (verdict.outcome, verdict.p) == (outcome, pytest.approx(p))


def test_the_p_value_uses_the_half_of_the_interval_towards_the_border():
    verdict = above(1.0).decide([Measured(2.0, 1.5, 9.0)])
    assert verdict.p == pytest.approx(2 * norm.sf(1.0 / (0.5 / 1.959964)), rel=1e-5)


@pytest.mark.parametrize("gap", [0.5, 0.99, 1.7, 3.0])
def test_the_p_value_of_few_photographs_or_trainings_is_student_s(gap):
    """With 6 degrees of freedom a gap of 1.7 halves of the interval has p = 0.006; a normal distribution, 0.0009."""
    measured = Measured.of(1.0, 0.1, 6.0)
    half = measured.high - measured.value
    verdict = above(1.0 - gap * half).decide([measured])
    assert verdict.p == pytest.approx(2 * student_t.sf(gap * half / 0.1, 6), rel=1e-6)
    assert (verdict.p < 0.05) == (gap > 1.0)
    assert measured.log().degrees == measured.times(2.0).degrees == 6


def test_degrees_of_freedom_of_sums_are_welch_s():
    """Two equal errors with 6 and infinitely many have 24; an exact value changes nothing, nor does a tiny error."""
    few, many = Measured.of(1.0, 0.1, 6.0), Measured.of(0.5, 0.1)
    for found in (few.minus(many), many.minus(few), many.widened(few)):
        assert found.degrees == pytest.approx(24)
    assert many.widened(Measured.of(0.0, 0.1)).high == pytest.approx(0.5 + 1.959964 * 0.1 * 2**0.5)
    assert many.minus(Measured(0.2, 0.2, 0.2, degrees=2.0)).degrees == math.inf
    assert few.minus(Measured.of(0.2, 1e-4, 2.0)).degrees == pytest.approx(6, rel=1e-4)
    assert Measured.of(1.0, 0.0, 0.0) == Measured(1.0, 1.0, 1.0, degrees=0.0)


def test_every_needs_all_values_and_corrects_failures_for_their_number():
    good, weak, bad = Measured.of(5, 1), Measured.of(2.5, 1), Measured.of(-2.1, 1)
    verdict = every(above(0.0)).decide([good, weak])
    assert (verdict.outcome, verdict.measured) == (YES, weak)
    assert every(above(0.0)).decide([good, Measured.of(1, 1)]).outcome is MAYBE
    assert every(above(0.0)).decide([bad]).outcome is NO
    assert every(above(0.0)).decide([good, bad]).outcome is MAYBE  # 0.036 for one of two is 0.071
    worse = every(above(0.0)).decide([good, Measured.of(-4, 1)])
    assert worse.outcome is NO
    assert worse.p == pytest.approx(4 * norm.sf(4), rel=1e-4)


def test_rising_is_decided_on_differences():
    assert RISING.decide([Measured.of(value, 0.1) for value in (1, 2, 3)]).outcome is YES
    assert RISING.decide([Measured.of(value, 0.1) for value in (1, 3, 2)]).outcome is NO
    assert RISING.decide([Measured.of(value, 0.1) for value in (1, 1.1, 2)]).outcome is MAYBE


def test_of_exact_steps_the_smallest_is_reported():
    exact = [Measured(value, value, value) for value in (1.0, 5.0, 5.5, 9.0)]
    assert RISING.decide(exact).measured.value == 0.5


def test_differences_ratios_and_means_carry_errors():
    first, second = Measured.of(4.0, 0.3), Measured.of(2.0, 0.4)
    difference = first.minus(second)
    assert difference.value == 2.0
    assert difference.high - difference.value == pytest.approx(1.959964 * 0.5)
    ratio = first.over(second)
    spread = 1.959964 * math.hypot(0.3 / 4, 0.4 / 2)
    assert (ratio.value, math.log(ratio.high / ratio.value)) == (2.0, pytest.approx(spread))
    assert math.log(ratio.value / ratio.low) == pytest.approx(spread)
    assert mean([first, second]).high == pytest.approx(3 + 1.959964 * 0.35)


@pytest.mark.parametrize(
    ("p_values", "kept"),
    [
        # statsmodels' multipletests(p, 0.05, "holm") rejects these.
        ([0.01, 0.04, 0.03, 0.005], [True, False, False, True]),
        ([0.0124, 0.0165, 0.0249, 0.0499], [True, True, True, True]),
        ([0.0126, 0.001, 0.9], [True, True, False]),
        ([0.03, 0.001, 0.02], [True, True, True]),
        ([0.0, 0.0], [True, True]),
        ([0.051], [False]),
        ([], []),
    ],
)
def test_holm_keeps_what_is_significant_for_all_together(p_values, kept):
    assert holm(p_values) == kept


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (above(0.5), "above 0.5"),
        (equivalent(1.0, 0.05), "1 within a margin of 0.05"),
        (every(below(0.02)), "each below 0.02"),
        (minimum_between(1.0, math.inf), "lowest above 1,"),
        (minimum_between(1.0, 1.5), "between 1 and 1.5"),
    ],
)
def test_rules_name_their_margins(decision, words):
    assert words in decision.rule


def test_borders_are_those_of_the_range():
    decisions = (above(1.0), below(2.0), equivalent(1.5, 0.5), equivalent(1.0, 0.25), minimum_between(1.0, math.inf))
    assert [(decision.low, decision.high) for decision in (*decisions, every(below(2.0)), RISING)] == [
        (1.0, math.inf), (-math.inf, 2.0), (1.0, 2.0), (0.75, 1.25), (1.0, math.inf), (-math.inf, 2.0), (0.0, math.inf),
    ]  # fmt: skip
