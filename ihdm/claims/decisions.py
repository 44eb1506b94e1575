"""Decision rules: from measured values with 95 % intervals to a verdict and a p-value.

Every rule asks whether the true value is in a range. The verdict is *reproduced* if the whole 95 % interval is inside,
*not reproduced* if all of it is outside, and *inconclusive* if it crosses a border.

The p-value is two-sided, for the border that is closest in standard errors, from the distribution of the interval: the
normal one, or Student's with its degrees of freedom. A single value is decided exactly if p ≤ 0.05.
The p-value of the place of a minimum is twice the share of the resampled curves that contradict the verdict, at least
2/(B + 1) with B curves.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar

from ihdm.metrics.estimates import difference_of_parts, student_95

LEVEL = 0.05
"""Significance level of single tests and of Holm's correction over all."""


LARGEST_LOG = 700.0
"""Close to the largest floating-point number."""


class Outcome(StrEnum):
    """Possible verdicts."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Measured:
    """A value with its 95 % interval, which may be asymmetric. An interval without width means an exact value.

    Attributes:
        value: the estimate.
        low: lower end of the interval.
        high: upper end of the interval.
        degrees: degrees of freedom of the interval; infinite for a normal one.
        trainings: number of trainings with different seeds behind the interval; 1: the interval is over images only.
        parts: parts of the standard error by group of images; values with parts are compared as pairs. See
            :mod:`ihdm.metrics.estimates`.
    """

    value: float
    low: float
    high: float
    degrees: float = field(default=math.inf, kw_only=True)
    trainings: int = field(default=1, kw_only=True)
    parts: tuple[float, ...] = field(default=(), kw_only=True, compare=False)

    @classmethod
    def of(cls, value: float, standard_error: float, degrees: float = math.inf) -> "Measured":
        """Return a value with Student's interval, which is the normal one for infinite degrees of freedom."""
        half = student_95(degrees) * standard_error if standard_error else 0.0
        return cls(value, value - half, value + half, degrees=degrees)

    @classmethod
    def of_parts(cls, value: float, parts: tuple[float, ...], trainings: int = 1) -> "Measured":
        """Return a value with Student's interval from the parts of its error, one per group of images."""
        found = cls.of(value, math.hypot(*parts), len(parts) - 1.0)
        return replace(found, trainings=trainings, parts=parts)

    def minus(self, other: "Measured") -> "Measured":
        """Return the difference of two values: paired if both have parts, otherwise for independent values."""
        value = self.value - other.value
        if parts := difference_of_parts(self.parts, other.parts):
            return Measured.of_parts(value, parts, min(self.trainings, other.trainings))
        below = math.hypot(self.value - self.low, other.high - other.value)
        above = math.hypot(self.high - self.value, other.value - other.low)
        fewer = min(self.trainings, other.trainings)
        return Measured(value, value - below, value + above, degrees=_joined_degrees(self, other), trainings=fewer)

    def widened(self, other: "Measured") -> "Measured":
        """Return this value with the independent error of another added."""
        below = math.hypot(self.value - self.low, other.value - other.low)
        above = math.hypot(self.high - self.value, other.high - other.value)
        degrees = _joined_degrees(self, other)
        return replace(self, low=self.value - below, high=self.value + above, degrees=degrees, parts=())

    def times(self, factor: float) -> "Measured":
        """Return a multiple of a value by a positive factor."""
        value, low, high, *parts = (factor * one for one in (self.value, self.low, self.high, *self.parts))
        return replace(self, value=value, low=low, high=high, parts=tuple(parts))

    def log(self) -> "Measured":
        """Return the logarithm of a positive value, with its relative error."""
        value = math.log(self.value)
        below, above = (self.value - self.low) / self.value, (self.high - self.value) / self.value
        parts = tuple(part / self.value for part in self.parts)
        return replace(self, value=value, low=value - below, high=value + above, parts=parts)

    def exp(self) -> "Measured":
        """Return the value of which this is the logarithm."""
        value, low, high = (math.exp(min(end, LARGEST_LOG)) for end in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high, parts=tuple(value * part for part in self.parts))

    def over(self, other: "Measured") -> "Measured":
        """Return the ratio of two positive values, with the interval computed on a log scale; see :meth:`minus`."""
        return self.log().minus(other.log()).exp()


def _joined_degrees(first: Measured, second: Measured) -> float:
    """Return the degrees of freedom of the sum of two independent errors (Welch, 1947)."""
    variances = [((one.high - one.low) / 2 / student_95(one.degrees)) ** 2 for one in (first, second)]
    uncertain = sum(
        variance**2 / one.degrees for variance, one in zip(variances, (first, second), strict=True) if variance > 0
    )
    return sum(variances) ** 2 / uncertain if uncertain > 0 else math.inf


@dataclass(frozen=True)
class Minimum(Measured):
    """The place of a minimum, with the places of many resampled curves.

    Attributes:
        minima: lower place, upper place and share of the curves whose minimum is between them.
        num_curves: number of curves.
    """

    minima: tuple[tuple[float, float, float], ...]
    num_curves: int

    def tail(self, low: float, high: float, *, outside: bool) -> float:
        """Return the p-value for a minimum in a range, or outside it."""
        inside = sum(share for first, last, share in self.minima if low <= first and last <= high)
        apart = sum(share for first, last, share in self.minima if last <= low or high <= first)
        share = 1 - inside if outside else 1 - apart
        return min(1.0, 2 * max(share, 1 / (self.num_curves + 1)))


def mean(values: Sequence[Measured]) -> Measured:
    """Return the mean of values. Without parts, the interval is the mean of the intervals, which is conservative."""
    count = len(values)
    if values[0].parts and len({len(one.parts) for one in values}) == 1:
        parts = tuple(math.fsum(group) / count for group in zip(*(one.parts for one in values), strict=True))
        return Measured.of_parts(math.fsum(one.value for one in values) / count, parts)
    value, low, high = (sum(getattr(one, name) for one in values) / count for name in ("value", "low", "high"))
    return Measured(value, low, high, degrees=min(one.degrees for one in values))


@dataclass(frozen=True)
class Verdict:
    """A verdict, the value that decides, and the p-value; see the module."""

    outcome: Outcome
    measured: Measured
    p: float


@dataclass(frozen=True)
class Decision:
    """A decision rule: whether the true value is in a range.

    Attributes:
        low: lower border of the range; infinite if it has none.
        high: upper border of the range; infinite if it has none.
        rule: the rule in words.
        fewest: the number of values that it needs.
    """

    low: float
    high: float
    rule: str
    fewest: ClassVar[int] = 1

    def decide(self, values: Sequence[Measured]) -> Verdict:
        """Decide on a value; some rules take several. An exact value on a border is outside."""
        (value,) = values
        inside = self.low < value.low and value.high < self.high
        outside = value.high <= self.low or value.low >= self.high
        tails = [_tail(value, border) for border in (self.low, self.high) if math.isfinite(border)]
        if self.low < value.value < self.high:
            p = max(tails)  # the closer border counts
        else:
            p = _tail(value, self.low if value.value <= self.low else self.high)
        outcome = Outcome.REPRODUCED if inside else Outcome.NOT_REPRODUCED if outside else Outcome.INCONCLUSIVE
        return Verdict(outcome, value, p)


def above(bound: float) -> Decision:
    """Return the one-sided rule that the value is above a bound."""
    return Decision(bound, math.inf, f"above {bound:g}, with all of its 95 % interval")


def below(bound: float) -> Decision:
    """Return the one-sided rule that the value is below a bound."""
    return Decision(-math.inf, bound, f"below {bound:g}, with all of its 95 % interval")


def equivalent(target: float, margin: float) -> Decision:
    """Return the rule of equivalence: the value is within a margin of a target."""
    rule = f"{target:g} within a margin of {margin:g}, with all of its 95 % interval"
    return Decision(target - margin, target + margin, rule)


class MinimumDecision(Decision):
    """The place of a minimum. Its interval may touch the borders, because its ends are already ruled out."""

    def decide(self, values: Sequence[Measured]) -> Verdict:
        """Decide on a :class:`Minimum`."""
        (place,) = values
        if not isinstance(place, Minimum):
            raise TypeError("the place of a minimum is decided by the minima of resampled curves")
        against, for_ = (place.tail(self.low, self.high, outside=outside) for outside in (True, False))
        if against <= LEVEL:
            return Verdict(Outcome.REPRODUCED, place, against)
        return Verdict(Outcome.NOT_REPRODUCED if for_ <= LEVEL else Outcome.INCONCLUSIVE, place, min(against, for_))


def minimum_between(low: float, high: float) -> Decision:
    """Return the rule that the place of a minimum is in a range."""
    place = f"above {low:g}" if math.isinf(high) else f"between {low:g} and {high:g}"
    return MinimumDecision(low, high, f"lowest {place}, with all of the 95 % interval of the place")


class EveryDecision(Decision):
    """Each of several values is in the range.

    Reproduced if each value is (an intersection-union test, which needs no correction); not reproduced if one
    fails even with its p-value times the number of values; otherwise inconclusive. The reported value is the one
    that decides: the one that fails most clearly, or holds least clearly.
    """

    def decide(self, values: Sequence[Measured]) -> Verdict:
        """Decide on one or more values."""
        verdicts = [super(EveryDecision, self).decide([value]) for value in values]
        failed = [verdict for verdict in verdicts if verdict.outcome is Outcome.NOT_REPRODUCED]
        if failed:
            worst = min(failed, key=lambda verdict: verdict.p)
            p = min(1.0, worst.p * len(verdicts))
            return Verdict(Outcome.NOT_REPRODUCED if p <= LEVEL else Outcome.INCONCLUSIVE, worst.measured, p)
        undecided = [verdict for verdict in verdicts if verdict.outcome is Outcome.INCONCLUSIVE]
        return max(undecided or verdicts, key=lambda verdict: verdict.p)


def every(each: Decision) -> Decision:
    """Return the rule that each of several values is in the range of a rule."""
    if type(each) is not Decision:
        raise TypeError(f"only a range can hold for each of several values, not {type(each).__name__}")
    return EveryDecision(each.low, each.high, f"each {each.rule}")


class RisingDecision(EveryDecision):
    """An ordering: each value is larger than the previous one; the rule of every step."""

    fewest: ClassVar[int] = 2

    def decide(self, values: Sequence[Measured]) -> Verdict:
        """Decide on two or more values. The deciding step is reported, for exact values the smallest."""
        steps = (after.minus(before) for before, after in pairwise(values))
        return super().decide(sorted(steps, key=lambda step: step.value))


RISING = RisingDecision(
    0.0, math.inf, "each larger than the one before, with all of the 95 % interval of the difference"
)


def holm(p_values: Iterable[float]) -> list[bool]:
    """Return for each test whether it is significant at 5 % for all tests together (Holm, 1979)."""
    values = list(p_values)
    kept = [False] * len(values)
    for done, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if values[index] > LEVEL / (len(values) - done):
            break
        kept[index] = True
    return kept


def _tail(measured: Measured, border: float) -> float:
    """Return the two-sided p-value for the true value at a border."""
    gap = measured.value - border
    half = measured.value - measured.low if gap > 0 else measured.high - measured.value
    if half <= 0:
        return 0.0
    distance = abs(gap) / half * student_95(measured.degrees)
    if math.isinf(measured.degrees):
        return math.erfc(distance / math.sqrt(2))
    from scipy.special import stdtr  # planning imports this module without SciPy

    return 2 * float(stdtr(measured.degrees, -distance))
