"""Claims about heat and noise on images: their effect, and the order in which frequencies vanish."""

from functools import partial

from ihdm.claims.claim import Claim, datasets
from ihdm.claims.decisions import above, below, equivalent, every

ORDER = 0.8
"""Rank correlation over six bands of frequency that counts as an order: of orders drawn at random fewer than one in
twenty reach it, and one swap of neighbors gives 0.94."""
NATURAL = partial(datasets, natural=True)

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
        measure=lambda evidence, name: evidence.each("forward", dataset=name, quantity="gaussian_difference"),
        decision=every(below(0.02)),
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
        measure=lambda evidence, name: [evidence.one("forward", dataset=name, process="heat", quantity="order")],
        decision=above(ORDER),
        reason="Fewer than one in twenty random orders of six bands reach a rank correlation of 0.8.",
        kind="mathematical check",
    ),
    Claim(
        id="noise_adds_to_spectrum",
        text="Isotropic noise adds a flat spectrum to that of an image.",
        paper="section 3.4, figure 4",
        table="forward",
        quantity="power of noisy images over the power of the images plus σ², at each σ and band",
        subjects=datasets,
        measure=lambda evidence, name: evidence.each("forward", dataset=name, quantity="added_power"),
        decision=every(equivalent(1.0, 0.05)),
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
        measure=lambda evidence, name: [evidence.one("forward", dataset=name, process="noise", quantity="order")],
        decision=above(ORDER),
        reason="Fewer than one in twenty random orders of six bands reach a rank correlation of 0.8.",
    ),
    Claim(
        id="spectrum_follows_power_law",
        text="The spectrum of natural images falls as about 1/f^α, with α about 2.",
        paper="section 3.4",
        table="data_spectrum",
        quantity="α, fitted over all frequencies up to π",
        subjects=NATURAL,
        measure=lambda evidence, name: [evidence.one("data_spectrum", dataset=name, quantity="alpha")],
        decision=equivalent(2.0, 0.5),
        reason="An α of 1.5 to 2.5 rounds to two.",
        reference="α ≈ 2",
    ),
)
