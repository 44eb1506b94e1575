"""How images come about: coarse before fine, early before late, and by sharpening what is near."""

from ihdm.claims.claim import Claim
from ihdm.claims.decisions import Above, Below, Measured, Rising
from ihdm.claims.evidence import Evidence, Subject, heat_experiments, measured
from ihdm.claims.forward import ORDER
from ihdm.config.scale import Config


def _estimating_clean_images(config: Config) -> list[Subject]:
    """Return the experiments whose estimates are of the clean image at every level."""
    return [
        (name,)
        for name, variant in config.variants.items()
        if variant.swept is None and not variant.experiment.predicted.estimates_next_level
    ]


def _order(evidence: Evidence, subject: Subject) -> list[Measured]:
    """Return the rank correlation; any is possible where all bands are reached at once, so that they have no order."""
    order = evidence.one("generation", experiment=subject[0], band="order")
    rows = evidence.rows("generation", experiment=subject[0])
    bands = rows.loc[rows["band"] != "order", "value"]
    return [order if bands.nunique() != 1 else Measured(order.value, -1.0, 1.0)]


def _splits(evidence: Evidence, subject: Subject) -> list[Measured]:
    rows = evidence.rows("hierarchy", experiment=subject[0]).sort_values("level")
    return [measured(row) for _, row in rows.iterrows()]


def _laplacian(evidence: Evidence, subject: Subject) -> list[Measured]:
    named = {"experiment": subject[0], "output": "residual"}
    neighbours, center = (
        measured(evidence.rows("input_gradients", **named, quantity=quantity).sort_values("stage").iloc[-1])
        for quantity in ("neighbours", "centre")
    )
    return [neighbours.minus(center)]


def _copies(evidence: Evidence, subject: Subject) -> list[Measured]:
    named = {"experiment": subject[0], "metric": "share_near", "extractor": "pixels"}
    return [evidence.one("memorisation", set="samples", **named)]


CLAIMS = (
    Claim(
        id="coarse_to_fine",
        text="Images are generated from coarse to fine.",
        paper="section 3.4",
        table="generation",
        quantity="rank correlation of when a band has half of its power with its frequency",
        subjects=_estimating_clean_images,
        measure=_order,
        decision=Above(ORDER),
        reason="Fewer than one in twenty random orders of six bands reach a rank correlation of 0.8. Bands that are "
        "all reached at once have no order and leave it open. Networks that estimate the next sharper image, as the "
        "paper's do, are left out: their estimates are blurred by construction and so go from coarse to fine whatever "
        "the network knows.",
        rule_set="after results",
    ),
    Claim(
        id="early_splits_change_more",
        text="Paths that split early end further apart than paths that split late.",
        paper="figure 7",
        table="hierarchy",
        quantity="distance of samples that split at a level, from the last level to the first",
        subjects=heat_experiments,
        measure=_splits,
        decision=Rising(),
        reason="Every split must change more than the one after it, in the same trees.",
    ),
    Claim(
        id="gradients_are_laplacian",
        text="Late in generation, what the network adds is like a Laplacian: less of a pixel, more of its neighbours.",
        paper="the figures of input gradients",
        table="input_gradients",
        quantity="gradient of what is added at the four neighbours, less that at the pixel itself, over the largest",
        subjects=heat_experiments,
        measure=_laplacian,
        decision=Above(0.0),
        reason="The published figure has the pixel at −1 and its four neighbours positive, late in generation; of the "
        "five stages the last counts. This rule was set right after gradients of photos had been seen: it had had the "
        "sign of a sharpening kernel, which is that of the mean and not of what is added.",
        rule_set="after results",
    ),
    Claim(
        id="samples_are_no_copies",
        text="Samples are no copies of training images.",
        paper="the figure of nearest training images",
        table="memorisation",
        quantity="share of samples nearer to a training image, in pixels, than 95 % of held-out images are",
        subjects=heat_experiments,
        measure=_copies,
        decision=Below(0.15),
        reason="A model that repeats training images has nearly all of its samples there; held-out images have 5 % by "
        "definition, and one sample in ten more would be seen.",
    ),
)
