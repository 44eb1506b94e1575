"""A claim as data: what is said, where, of what it is checked, from which numbers, and by which rule."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ihdm.claims.decisions import Decision, Measured
from ihdm.claims.evidence import Evidence, Subject
from ihdm.config.scale import Config

REPOSITORY = "this repository"
"""Where our own claims are made."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, or one of ours.

    Attributes:
        id: its name, which does not change.
        text: what is claimed, a sentence in our words.
        paper: where the paper says it.
        table: the merged table that its numbers come from.
        quantity: what is decided on, in words.
        subjects: what it is checked on, at a scale.
        measure: gives the values of a subject, or raises NotRunError.
        decision: the rule.
        reason: why the rule has this form and margin.
        reference: what the paper reports, if that is a number.
        is_ours: whether the paper does not make it.
        kind: a finding about networks or data, or a mathematical check, which holds by construction and tests the code.
        rule_set: whether the rule was fixed before any result of it was known.
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
