"""Claims about heat on images: its effect, and the order in which frequencies vanish."""

from ihdm.claims.claim import Claim
from ihdm.claims.decisions import Above, Below, Every, Measured
from ihdm.claims.evidence import Evidence, Subject, datasets

ORDER = 0.8
"""Rank correlation over six bands of frequency that counts as an order: of orders drawn at random fewer than one in
twenty reach it, and one swap of neighbors gives 0.94."""


def _blur_differences(evidence: Evidence, subject: Subject) -> list[Measured]:
    return evidence.each("forward", dataset=subject[0], quantity="gaussian_difference")


def _order(evidence: Evidence, subject: Subject) -> list[Measured]:
    return [evidence.one("forward", dataset=subject[0], process="heat", quantity="order")]


CLAIMS = (
    Claim(
        id="heat_is_gaussian_blur",
        text="Heat for a time t is a Gaussian blur of width √(2t), away from borders.",
        paper="section 3.1",
        table="forward",
        quantity=(
            "difference of heat from a sampled Gaussian filter, relative to the change by the blur, at each width"
        ),
        subjects=datasets,
        measure=_blur_differences,
        decision=Every(Below(0.02)),
        reason=(
            "At a width of one pixel, a sampled and an exact Gaussian differ by 0.7 % at the finest frequency; 0.3 % "
            "of a Gaussian are beyond three widths."
        ),
        kind="mathematical check",
    ),
    Claim(
        id="heat_removes_fine_first",
        text="Heat removes high frequencies before low ones.",
        paper="section 3.4, figure 4",
        table="forward",
        quantity="rank correlation of frequency with the blur that halves the power of a band, sign reversed",
        subjects=datasets,
        measure=_order,
        decision=Above(ORDER),
        reason="Fewer than one in twenty random orders of six bands reach a rank correlation of 0.8.",
        kind="mathematical check",
    ),
)
