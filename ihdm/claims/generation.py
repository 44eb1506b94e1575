"""Claims about generation: coarse before fine, the effect of early and late splits, and local sharpening."""

from ihdm.claims.claim import Claim, Evidence, Subject, heat_experiments, measured
from ihdm.claims.decisions import RISING, Measured, above, below
from ihdm.claims.images import ORDER
from ihdm.config.scale import Config


def _estimating_clean_images(config: Config) -> list[Subject]:
    """Return the experiments whose estimates are of the clean image at every level."""
    return [
        (name,)
        for name, variant in config.variants.items()
        if variant.swept is None and not variant.experiment.predicted.estimates_next_level
    ]


def _order(evidence: Evidence, experiment: str) -> list[Measured]:
    """Return the rank correlation; any value is possible if all bands are reached at once, as they have no order."""
    order = evidence.one("generation", experiment=experiment, band="order")
    rows = evidence.rows("generation", experiment=experiment)
    bands = rows.loc[rows["band"] != "order", "value"]
    return [order if bands.nunique() != 1 else Measured(order.value, -1.0, 1.0)]


def _splits(evidence: Evidence, experiment: str) -> list[Measured]:
    rows = evidence.rows("hierarchy", experiment=experiment).sort_values("level")
    return [measured(row) for _, row in rows.iterrows()]


def _laplacian(evidence: Evidence, experiment: str) -> list[Measured]:
    named = {"experiment": experiment, "output": "residual"}
    neighbours, center = (
        measured(evidence.rows("input_gradients", **named, quantity=quantity).sort_values("stage").iloc[-1])
        for quantity in ("neighbours", "centre")
    )
    return [neighbours.minus(center)]


def _copies(evidence: Evidence, experiment: str) -> list[Measured]:
    named = {"experiment": experiment, "metric": "share_near", "extractor": "pixels"}
    return [evidence.one("memorisation", set="samples", **named)]


CLAIMS = (
    Claim(
        id="coarse_to_fine",
        text="Images are generated from coarse to fine.",
        paper="section 3.4",
        table="generation",
        quantity="rank correlation of frequency with the time at which a band reaches half of its power",
        subjects=_estimating_clean_images,
        measure=_order,
        decision=above(ORDER),
        reason=(
            "Fewer than one in twenty random orders of six bands reach a rank correlation of 0.8. Bands reached at "
            "the same time have no order and leave the claim open. Networks that estimate the next sharper image, as "
            "in the paper, are excluded: their estimates are blurred by construction and always go from coarse to "
            "fine."
        ),
        rule_set="after results",
    ),
    Claim(
        id="early_splits_change_more",
        text="Samples whose paths split early differ more than samples whose paths split late.",
        paper="figure 7",
        table="hierarchy",
        quantity="distance of samples that split at a level, from the last level to the first",
        subjects=heat_experiments,
        measure=_splits,
        decision=RISING,
        reason="Every split must change more than the one after it, in the same trees.",
    ),
    Claim(
        id="gradients_are_laplacian",
        text=(
            "Late in generation, the network's residual acts like a Laplacian: less of a pixel, more of its neighbors."
        ),
        paper="the figures of input gradients",
        table="input_gradients",
        quantity="gradient of the residual at the four neighbors minus that at the pixel, over the largest",
        subjects=heat_experiments,
        measure=_laplacian,
        decision=above(0.0),
        reason=(
            "The published figure has −1 at the pixel and positive neighbors, late in generation; so the last of five "
            "stages counts. The sign of this rule was corrected after gradients of photos had been seen: the former "
            "one described the mean, not the residual."
        ),
        rule_set="after results",
    ),
    Claim(
        id="samples_are_no_copies",
        text="Samples are not copies of training images.",
        paper="the figure of nearest training images",
        table="memorisation",
        quantity="share of samples closer to a training image, in pixels, than 95 % of held-out images",
        subjects=heat_experiments,
        measure=_copies,
        decision=below(0.15),
        reason=(
            "A model that repeats training images has nearly all samples there; held-out images have 5 % by "
            "definition, and copies in one of ten samples would be detected."
        ),
    ),
)
