"""Claims about spectra of images and the effect of noise on them."""

from functools import partial

from ihdm.claims.claim import Claim
from ihdm.claims.decisions import Above, Equivalent, Every, Measured
from ihdm.claims.evidence import Evidence, Subject, datasets
from ihdm.claims.forward import ORDER


def _added(evidence: Evidence, subject: Subject) -> list[Measured]:
    return evidence.each("forward", dataset=subject[0], quantity="added_power")


def _order(evidence: Evidence, subject: Subject) -> list[Measured]:
    return [evidence.one("forward", dataset=subject[0], process="noise", quantity="order")]


def _alpha(evidence: Evidence, subject: Subject) -> list[Measured]:
    return [evidence.one("data_spectrum", dataset=subject[0], quantity="alpha")]


NATURAL = partial(datasets, natural=True)

CLAIMS = (
    Claim(
        id="noise_adds_to_spectrum",
        text="Isotropic noise adds a flat spectrum to that of an image.",
        paper="section 3.4, figure 4",
        table="forward",
        quantity="power of noisy images over the power of the images plus σ², at each σ and band",
        subjects=datasets,
        measure=_added,
        decision=Every(Equivalent(1.0, 0.05)),
        reason=(
            "Noise counted twice, or missing, would change the ratio by half or more; 5 % is small against that and "
            "large against sampling error."
        ),
        kind="mathematical check",
    ),
    Claim(
        id="noise_drowns_fine_first",
        text="Noise exceeds the high frequencies of natural images before the low ones.",
        paper="section 3.4, figure 4",
        table="forward",
        quantity="rank correlation of frequency with the noise that equals the power of a band, sign reversed",
        subjects=NATURAL,
        measure=_order,
        decision=Above(ORDER),
        reason="Fewer than one in twenty random orders of six bands reach a rank correlation of 0.8.",
    ),
    Claim(
        id="spectrum_follows_power_law",
        text="The spectrum of natural images falls as about 1/f^α, with α about 2.",
        paper="section 3.4",
        table="data_spectrum",
        quantity="α, fitted over all frequencies up to π",
        subjects=NATURAL,
        measure=_alpha,
        decision=Equivalent(2.0, 0.5),
        reason="An α of 1.5 to 2.5 rounds to two.",
        reference="α ≈ 2",
    ),
)
