"""Kinds of decision: from measured values with 95 % intervals to a verdict and a p-value.

Every rule asks whether the true value is in a range. The verdict is *reproduced* if the whole 95 % interval is inside,
*not reproduced* if all of it is outside, and *inconclusive* if it crosses a border.

The p-value goes with that: two-sided, of the border that is nearest in standard errors, normal on each side of the
value with that side's half of the interval for 1.96 standard errors. A single value is decided exactly if p ≤ 0.05.
The p-value of the place of a minimum is twice the share of the resampled curves that contradict the verdict, at least
2/(B + 1) with B curves.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import ClassVar

from ihdm.metrics.estimates import NORMAL_95, difference_of_parts, student_95

LEVEL = 0.05
"""Of all tests, of single ones and of Holm's correction over all."""


LARGEST_LOG = 700.0
"""Close to the largest floating-point number."""


class Outcome(StrEnum):
    """What a check can say."""

    REPRODUCED = "reproduced"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Measured:
    """A value with its 95 % interval, which need not be symmetric; one without width is exact.

    Attributes:
        value: the estimate.
        low: lower end of the interval.
        high: upper end of the interval.
        trainings: how many trainings with other seeds the interval is over; with one, it is over images alone.
        parts: the standard error in parts by image, as tables hold it; values with parts are compared as pairs. See
            :mod:`ihdm.metrics.estimates`.
    """

    value: float
    low: float
    high: float
    trainings: int = field(default=1, kw_only=True)
    parts: tuple[float, ...] = field(default=(), kw_only=True, compare=False)

    @classmethod
    def of(cls, value: float, standard_error: float, degrees: float = math.inf) -> "Measured":
        """Return a value with Student's interval, which is the normal one for infinite degrees of freedom."""
        half = student_95(degrees) * standard_error
        return cls(value, value - half, value + half)

    @classmethod
    def of_parts(cls, value: float, parts: tuple[float, ...], trainings: int = 1) -> "Measured":
        """Return a value with Student's interval by the parts of its error, one for each group of images."""
        found = cls.of(value, math.hypot(*parts), len(parts) - 1.0)
        return replace(found, trainings=trainings, parts=parts)

    def minus(self, other: "Measured") -> "Measured":
        """Return the difference of two values: a paired one where both have parts, else as if they were independent."""
        value = self.value - other.value
        if parts := difference_of_parts(self.parts, other.parts):
            return Measured.of_parts(value, parts, min(self.trainings, other.trainings))
        below = math.hypot(self.value - self.low, other.high - other.value)
        above = math.hypot(self.high - self.value, other.value - other.low)
        return Measured(value, value - below, value + above, trainings=min(self.trainings, other.trainings))

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
        """Return what this is the logarithm of."""
        value, low, high = (math.exp(min(end, LARGEST_LOG)) for end in (self.value, self.low, self.high))
        return replace(self, value=value, low=low, high=high, parts=tuple(value * part for part in self.parts))

    def over(self, other: "Measured") -> "Measured":
        """Return the ratio of two positive values, its interval found on a log scale; see :meth:`minus`."""
        return self.log().minus(other.log()).exp()


@dataclass(frozen=True)
class Minimum(Measured):
    """The place of a minimum, with those of many resampled curves.

    Attributes:
        minima: between which places the minima of the curves are, each with the share of the curves.
        num_curves: how many curves there are.
    """

    minima: tuple[tuple[float, float, float], ...]
    num_curves: int

    def tail(self, low: float, high: float, *, outside: bool) -> float:
        """Return the p-value of the minimum being in a range, or outside."""
        inside = sum(share for first, last, share in self.minima if low <= first and last <= high)
        apart = sum(share for first, last, share in self.minima if last <= low or high <= first)
        share = 1 - inside if outside else 1 - apart
        return min(1.0, 2 * max(share, 1 / (self.num_curves + 1)))


def mean(values: Sequence[Measured]) -> Measured:
    """Return the mean of values, without parts that of their intervals, which is never too narrow."""
    count = len(values)
    if values[0].parts and len({len(one.parts) for one in values}) == 1:
        parts = tuple(math.fsum(group) / count for group in zip(*(one.parts for one in values), strict=True))
        return Measured.of_parts(math.fsum(one.value for one in values) / count, parts)
    return Measured(*(sum(getattr(one, name) for one in values) / count for name in ("value", "low", "high")))


@dataclass(frozen=True)
class Verdict:
    """What was decided, of which value, and how surely; see the head of this module."""

    outcome: Outcome
    measured: Measured
    p: float


class Decision(ABC):
    """A decision rule: whether the true value is in a range.

    Attributes:
        fewest: the number of values that it needs.
    """

    fewest: ClassVar[int] = 1

    @property
    @abstractmethod
    def borders(self) -> tuple[float, float]:
        """The range; a side without a border is infinite."""

    @property
    @abstractmethod
    def rule(self) -> str:
        """The rule in words."""

    def decide(self, values: Sequence[Measured]) -> Verdict:
        """Decide on values, one unless the kind is of several."""
        (value,) = values
        return _decide(value, *self.borders)


@dataclass(frozen=True)
class Within(Decision):
    """A value or slope in a range."""

    low: float
    high: float

    @property
    def borders(self) -> tuple[float, float]:
        return self.low, self.high

    @property
    def rule(self) -> str:
        return f"in {self.low:g} … {self.high:g}, with all of its 95 % interval"


@dataclass(frozen=True)
class Above(Decision):
    """A one-sided difference: the value is larger than a bound."""

    bound: float

    @property
    def borders(self) -> tuple[float, float]:
        return self.bound, math.inf

    @property
    def rule(self) -> str:
        return f"above {self.bound:g}, with all of its 95 % interval"


@dataclass(frozen=True)
class Below(Decision):
    """A one-sided difference: the value is smaller than a bound."""

    bound: float

    @property
    def borders(self) -> tuple[float, float]:
        return -math.inf, self.bound

    @property
    def rule(self) -> str:
        return f"below {self.bound:g}, with all of its 95 % interval"


@dataclass(frozen=True)
class Equivalent(Decision):
    """Equivalence: no further from a target than a margin."""

    target: float
    margin: float

    @property
    def borders(self) -> tuple[float, float]:
        return self.target - self.margin, self.target + self.margin

    @property
    def rule(self) -> str:
        return f"{self.target:g} within a margin of {self.margin:g}, with all of its 95 % interval"


@dataclass(frozen=True)
class MinimumBetween(Within):
    """The place of a minimum: its interval, whose ends are places that were ruled out, may touch the borders."""

    @property
    def rule(self) -> str:
        place = f"above {self.low:g}" if math.isinf(self.high) else f"between {self.low:g} and {self.high:g}"
        return f"lowest {place}, with all of the 95 % interval of the place"

    def decide(self, values: Sequence[Measured]) -> Verdict:
        (place,) = values
        if not isinstance(place, Minimum):
            raise TypeError("the place of a minimum is decided by the minima of resampled curves")
        against, for_ = (place.tail(self.low, self.high, outside=outside) for outside in (True, False))
        if against <= LEVEL:
            return Verdict(Outcome.REPRODUCED, place, against)
        return Verdict(Outcome.NOT_REPRODUCED if for_ <= LEVEL else Outcome.INCONCLUSIVE, place, min(against, for_))


@dataclass(frozen=True)
class Every(Decision):
    """Every one of several values satisfies a decision.

    Reproduced if each is, by itself (an intersection-union test, which needs no correction); not reproduced if one
    fails by itself even with its p-value times the number of them; else inconclusive. The reported value is the one
    that decides: that which fails most clearly, or holds least clearly.
    """

    each: Decision

    @property
    def rule(self) -> str:
        return f"each {self.each.rule}"

    @property
    def borders(self) -> tuple[float, float]:
        return self.each.borders

    def decide(self, values: Sequence[Measured]) -> Verdict:
        """Decide on one value or more."""
        verdicts = [self.each.decide([value]) for value in values]
        failed = [verdict for verdict in verdicts if verdict.outcome is Outcome.NOT_REPRODUCED]
        if failed:
            worst = min(failed, key=lambda verdict: verdict.p)
            p = min(1.0, worst.p * len(verdicts))
            return Verdict(Outcome.NOT_REPRODUCED if p <= LEVEL else Outcome.INCONCLUSIVE, worst.measured, p)
        undecided = [verdict for verdict in verdicts if verdict.outcome is Outcome.INCONCLUSIVE]
        return max(undecided or verdicts, key=lambda verdict: verdict.p)


@dataclass(frozen=True)
class Rising(Decision):
    """An ordering: each value is larger than the one before; see :class:`Every`, of the steps."""

    fewest: ClassVar[int] = 2

    @property
    def rule(self) -> str:
        return "each larger than the one before, with all of the 95 % interval of the difference"

    @property
    def borders(self) -> tuple[float, float]:
        return 0.0, math.inf

    def decide(self, values: Sequence[Measured]) -> Verdict:
        """Decide on two values or more; the step that decides is reported, for exact values the smallest."""
        steps = sorted((after.minus(before) for before, after in pairwise(values)), key=lambda step: step.value)
        return Every(Above(0.0)).decide(steps)


def holm(p_values: Iterable[float]) -> list[bool]:
    """Return for each of several tests whether it is still significant at 5 % for all of them together (Holm, 1979)."""
    values = list(p_values)
    kept = [False] * len(values)
    for done, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        if values[index] > LEVEL / (len(values) - done):
            break
        kept[index] = True
    return kept


def _decide(measured: Measured, low: float, high: float) -> Verdict:
    """Decide whether a value is between two borders; an exact value on a border is outside."""
    inside = low < measured.low and measured.high < high
    outside = measured.high <= low or measured.low >= high
    borders = [border for border in (low, high) if math.isfinite(border)]
    tails = [_tail(measured, border) for border in borders]
    is_inside = low < measured.value < high  # the closer border counts
    p = max(tails) if is_inside else _tail(measured, low if measured.value <= low else high)
    outcome = Outcome.REPRODUCED if inside else Outcome.NOT_REPRODUCED if outside else Outcome.INCONCLUSIVE
    return Verdict(outcome, measured, p)


def _tail(measured: Measured, border: float) -> float:
    """Return the two-sided p-value for the true value at a border."""
    gap = measured.value - border
    half = measured.value - measured.low if gap > 0 else measured.high - measured.value
    if half <= 0:
        return 0.0
    return math.erfc(abs(gap) / half * NORMAL_95 / math.sqrt(2))
