"""A claim as data: statement, place in the paper, subjects, numbers and decision rule."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ihdm.claims.decisions import Decision, Measured
from ihdm.claims.evidence import Evidence, Subject
from ihdm.config.scale import Config

REPOSITORY = "this repository"
"""Place of our claims, instead of a place in the paper."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, or one of ours.

    Attributes:
        id: stable name.
        text: the statement, in our words.
        paper: place in the paper.
        table: the merged table of its numbers.
        quantity: description of the quantity that is tested.
        subjects: returns the experiments or data sets of a scale that it is tested on.
        measure: returns the values of a subject, or raises NotRunError.
        decision: the decision rule.
        reason: why the rule has this form and margin.
        reference: the number in the paper, if it gives one.
        is_ours: whether the claim is ours, not the paper's.
        kind: a finding about networks or data, or a mathematical check, which holds by construction and tests the code.
        rule_set: whether the rule was set before any result was known.
    """

    id: str
    text: str
    paper: str
    table: str
    quantity: str
    subjects: Callable[[Config], Iterable[Subject]]
    measure: Callable[[Evidence, Subject], Sequence[Measured]]
    decision: Decision
    reason: str
    reference: str = ""
    is_ours: bool = False
    kind: Literal["finding", "mathematical check"] = "finding"
    rule_set: Literal["before results", "after results"] = "before results"

    @property
    def rule(self) -> str:
        """The rule in words."""
        return f"{self.quantity}: {self.decision.rule}"
