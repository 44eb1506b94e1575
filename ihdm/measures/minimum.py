"""The δ at which distances or the likelihood bound are lowest, with a confidence interval from resampled curves."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

from ihdm.config.settings import NumResamples, Seed, Settings
from ihdm.config.stages import LikelihoodSettings
from ihdm.errors import UserError
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import ERRORS, TEST, TRAIN, of_experiment
from ihdm.measures.likelihood import likelihood_settings
from ihdm.metrics.estimates import Photographs, mean_estimate, read_parts
from ihdm.metrics.tables import merge_tables, with_most_images
from ihdm.runs import Input, Run, each_experiment
from ihdm.seeds import generator

LOW, HIGH = 0.025, 0.975
"""Quantiles of a 95 % interval."""
NUM_CURVES = 10_000
"""Enough for a p-value that survives a correction for a hundred tests."""
CHUNK_VALUES = 2**22
"""Most weights of images that exist at a time."""
FINE_STEP = 0.01
"""Largest step of δ/σ on the grid of the bound."""
MIN_STEPS = 20


def minimum_row(
    ratios: Float[np.ndarray, "ratios"], values: Float[np.ndarray, "ratios"], curves: Float[np.ndarray, "curves ratios"]
) -> dict[str, object]:
    """Return the place of the minimum with a 95 % interval and a verdict.

    A smooth curve with one valley has its minimum between the neighbors of its lowest value. The interval therefore
    reaches from the ratio before the places where 95 % of the curves are lowest to the one after them.

    The verdict is `flat` if these places go from the first ratio to the last; `edge` if they touch one of the two, as
    the true minimum may then be beyond; else `inside`. `minima` lists between which ratios the curves have their
    minima, each with the share of the curves, as ``1..1.5:0.976 1.25..inf:0.024``, and `num_curves` is their number.

    Args:
        ratios: δ/σ, ascending, three or more.
        values: the curve.
        curves: resampled curves.

    Raises:
        UserError: if there are fewer than three ratios.
    """
    if len(ratios) < 3:
        raise UserError(f"a minimum needs values at three δ/σ or more, not {len(ratios)}; sweep more values")
    best, last = int(values.argmin()), len(ratios) - 1
    places = curves.argmin(axis=1)
    quantiles = np.quantile(places, [LOW, HIGH], method="inverted_cdf")
    shares = np.bincount(places, minlength=len(ratios)) / len(curves)
    ends = [-math.inf, *ratios, math.inf]  # a minimum at the first or last ratio may be beyond it
    low, high = min(int(quantiles[0]), best), max(int(quantiles[1]), best)
    verdicts = ("inside", "edge", "flat")
    return {
        "delta_ratio": ratios[best],
        "low": ratios[max(low - 1, 0)],
        "high": ratios[min(high + 1, last)],
        "value": values[best],
        "verdict": verdicts[(low == 0) + (high == last)],
        "first_ratio": ratios[0],
        "last_ratio": ratios[-1],
        "num_ratios": len(ratios),
        "minima": " ".join(
            f"{ends[place]:.10g}..{ends[place + 2]:.10g}:{shares[place]:.10g}" for place in np.flatnonzero(shares)
        ),
        "num_curves": len(curves),
    }


def fine_ratios(ratios: Sequence[float]) -> Float[np.ndarray, "_"]:
    """Return δ/σ from the smallest to the largest ratio in steps of 0.01, or of a twentieth of the range if smaller.

    Raises:
        UserError: if there is only one ratio.
    """
    low, high = min(ratios), max(ratios)
    if low == high:
        raise UserError(f"a minimum needs a range of δ/σ, not {low:g} alone; sweep more values")
    num_steps = max(MIN_STEPS, math.ceil(round((high - low) / FINE_STEP, 6)))
    return np.round(np.linspace(low, high, num_steps + 1), 10)


def distance_minimum(table: pd.DataFrame, seed: int) -> list[dict[str, object]]:
    """Return one row for each distance of samples.

    Each curve is drawn from a normal distribution with the values' own standard errors and their correlations: samples
    at different δ share starts and noise; see :mod:`ihdm.metrics.estimates`.

    Args:
        table: distances of one experiment's samples at several δ; those with the most images are used.
        seed: seed of the draws.
    """
    rows: list[dict[str, object]] = []
    for metric in ("fid", "frechet_distance", "kid", "kernel_distance"):
        part = with_most_images(table[(table["set"] == "samples") & (table["metric"] == metric)])
        if len(part):
            part = part.sort_values("delta_ratio")
            values = part["value"].to_numpy(dtype=np.float64)
            errors = np.array([read_parts(text) for text in part["error_parts"]])
            normal = generator(seed, "curves of distances").standard_normal((NUM_CURVES, errors.shape[1]))
            row = minimum_row(part["delta_ratio"].to_numpy(dtype=np.float64), values, values + normal @ errors.T)
            rows.append({"metric": metric, "extractor": part["extractor"].iloc[0], "n": part["n"].iloc[0], **row})
    return rows


def likelihood_minimum(
    ratios: Float[np.ndarray, "ratios"],
    bits: Float[np.ndarray, "ratios image"],
    num_resamples: int,
    seed: int,
    photographs: Photographs | None = None,
) -> dict[str, object]:
    """Return the row of the bound; its curves come from resampling images, each with its values at every δ.

    A few photographs are too few to resample: with squares of photographs, curves are drawn from Student's distribution
    with the errors of a jackknife over these, and their correlations.

    Args:
        ratios: δ/σ, ascending.
        bits: the bound of each image at each ratio, in bits per dimension.
        num_resamples: number of bootstrap resamples of the images, at least 10 000.
        seed: seed of the resampling.
        photographs: the photograph of each image; None if images are independent.
    """
    count, means = bits.shape[1], bits.mean(axis=1)
    if photographs is not None:
        errors = np.array([mean_estimate(row, photographs=photographs).parts for row in bits])
        return {"metric": "bits_per_dim", "n": count, **minimum_row(ratios, means, means + _drawn(errors, seed))}
    rng, left, curves = generator(seed, "bootstrap"), max(num_resamples, NUM_CURVES), []
    while left:
        size = min(left, max(1, CHUNK_VALUES // count))
        curves.append(rng.multinomial(count, np.full(count, 1 / count), size=size) @ bits.T / count)
        left -= size
    return {"metric": "bits_per_dim", "n": count, **minimum_row(ratios, means, np.concatenate(curves))}


def _drawn(errors: Float[np.ndarray, "ratios photographs"], seed: int) -> Float[np.ndarray, "curves ratios"]:
    """Return deviations of curves in Student's distribution, from the parts of their errors."""
    rng, degrees = generator(seed, "curves over photographs"), errors.shape[1] - 1
    normal = rng.standard_normal((NUM_CURVES, errors.shape[1]))
    return normal @ errors.T / np.sqrt(rng.chisquare(degrees, (NUM_CURVES, 1)) / degrees)


class DistanceMinimumSettings(Settings):
    """Settings of the minimum of distances."""

    seed: Seed = 0


def compute_distance(files: Files, settings: DistanceMinimumSettings) -> Results:
    """Estimate the δ at which the distances of samples are lowest, with a confidence interval."""
    from ihdm.storage.reading import read_table

    columns = ("set", "metric", "delta_ratio", "extractor", "n", "value", "error_parts")
    table = merge_tables({str(path): read_table(path, columns) for path in files.values()})
    return {"minimum": distance_minimum(table, settings.seed)}


METRICS = {
    "frechet_distance": "Fréchet distance",
    "kernel_distance": "kernel distance",
    "bits_per_dim": "bits/dim",
    "fid": "FID",
    "kid": "KID",
}
PLACES = {
    "inside": "{delta_ratio:g}, in {low:g} … {high:g}",
    "edge": "{delta_ratio:g}, in {low:g} … {high:g} or beyond what was tried",
    "flat": "flat within error",
}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and curve, with the interval of its minimum, or `flat`."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "curve": table["metric"].replace(METRICS),
            "n": table["n"],
            "lowest at δ/σ": [PLACES[row["verdict"]].format_map(row) for row in table.to_dict("records")],
            "tried": [f"{row.first_ratio:g} … {row.last_ratio:g} ({row.num_ratios})" for row in table.itertuples()],
            "value there": table["value"].map("{:.4g}".format),
        }
    )


MINIMUM_DISTANCE = Measure(
    compute=compute_distance,
    runs=each_experiment(lambda run: run.variant.has_curve),
    inputs={"distance": Input("metrics/distance/{experiment}/delta{ratio}.csv", about="distances at each δ/σ, .csv")},
    outputs={"minimum": "metrics/minimum/{experiment}/distance.csv"},
    settings=lambda _: DistanceMinimumSettings(),
    model=DistanceMinimumSettings,
    labels=of_experiment,
    tables={
        "minimum": Table(
            heading="Best sampling noise",
            explanation=(
                "δ/σ with the lowest distance or bound, with 95 % intervals. For distances they come from the joint "
                "error of the sampled values, which share starts and noise. For the bound they come from resampling "
                "test images on a grid of step 0.01 or finer. The interval extends to neighboring values, as a "
                "minimum may be between two. At the edge: the true minimum may be beyond the sampled values."
            ),
            columns={
                "metric": "a distance, or `bits_per_dim`",
                "delta_ratio, value": "place and value of the minimum",
                "low, high": "95 % interval of the place; it extends to the neighboring values",
                "verdict": "`inside`; `edge`, if it may be beyond the sampled values; `flat`, if it may be anywhere",
                "first_ratio, last_ratio, num_ratios": "sampled values",
                "minima, num_curves": (
                    "places of the minima of resampled curves with their shares, and the number of curves"
                ),
            },
            summarize=summarize,
            made_by=("minimum_distance", "minimum_likelihood"),
            notes="Null: a flat curve.",
        )
    },
    is_local=True,
)


class LikelihoodMinimumSettings(LikelihoodSettings):
    """Settings of the minimum of the bound."""

    num_resamples: NumResamples
    seed: Seed = 0


def compute_likelihood(files: Files, settings: LikelihoodMinimumSettings) -> Results:
    """Estimate the δ at which the bound is lowest, on a fine grid without further network evaluations."""
    from ihdm.likelihood import bits_per_dim
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.metrics.likelihood import bound_images, fitting_images

    stored = HeldOutErrors.read(files["errors"], settings.process)
    ratios = fine_ratios(settings.delta_ratios)
    centers, images = fitting_images(stored, files["train"], files["test"], settings.num_train)
    bound = bound_images(stored, centers, images, settings, ratios.tolist())
    bits = bits_per_dim(bound.nats(), stored.num_dims)
    return {
        "minimum": [likelihood_minimum(ratios, bits, settings.num_resamples, settings.seed, stored.photographs)],
        "curve": [
            {"delta_ratio": ratio} | mean_estimate(row, photographs=stored.photographs).columns()
            for ratio, row in zip(ratios, bits, strict=True)
        ],
    }


def minimum_settings(run: Run) -> LikelihoodMinimumSettings:
    """Return the settings of the minimum of an experiment's bound."""
    return LikelihoodMinimumSettings(
        **dict(likelihood_settings(run)), num_resamples=run.config.evaluation.num_resamples
    )


MINIMUM_LIKELIHOOD = Measure(
    compute=compute_likelihood,
    runs=each_experiment(lambda run: run.variant.has_likelihood_curve),
    inputs={"errors": ERRORS, "train": TRAIN, "test": TEST},
    outputs={
        "minimum": "metrics/minimum/{experiment}/likelihood.csv",
        "curve": "metrics/minimum/{experiment}/likelihood_curve.csv",
    },
    settings=minimum_settings,
    model=LikelihoodMinimumSettings,
    labels=of_experiment,
    memory_mb=8000,
)
