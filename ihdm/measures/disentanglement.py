"""Estimate the shares of start, noise and interaction in the variance of color and structure (paper, figure 8).

Every start is combined with every noise once. The variance of a quantity then splits into parts that start, noise and
their interaction explain. Sampling is deterministic given both, so there is no further residual.
"""

import math

import numpy as np
import pandas as pd
from jaxtyping import Float

from ihdm.config.scale import Config
from ihdm.errors import UserError
from ihdm.measures import Files, Measure, NoSettings, Results, Table
from ihdm.measures.inputs import of_experiment
from ihdm.metrics.estimates import NORMAL_95
from ihdm.runs import Input, Run
from ihdm.storage.reading import read_array

SMALLEST = 0.02
"""Shares count as this at least, and as one less this at most, where an interval is made."""
LARGEST_ODDS = 30.0
"""Log odds beyond which a share is 0 or 1."""
SOURCES = ("start", "noise", "interaction")


def compute(files: Files, settings: NoSettings) -> Results:
    """Return the shares of variance."""
    images = read_array(files["grid"])
    if images.ndim != 5 or min(images.shape[:2]) < 2 or not np.issubdtype(images.dtype, np.floating):
        raise UserError(
            f"{files['grid']}: holds {images.dtype} of shape {images.shape}, not floats of start × noise × height × "
            "width × channel, two or more starts and noises"
        )
    return {"disentanglement": share_rows(images)}


def variance_shares(values: Float[np.ndarray, "start noise *dims"]) -> dict[str, float]:
    """Return the shares of start, noise and interaction in the variance, summed over all dimensions.

    They sum to one. An unbiased share of about zero may come out slightly negative. The variance components are
    unbiased: with mean squares M of the a starts, b noises and the interaction,

        σ²_start = (M_start − M_inter) / b,    σ²_noise = (M_noise − M_inter) / a,    σ²_inter = M_inter

    Raises:
        ValueError: if there are fewer than two starts or noises.
        UserError: if the values are constant or not finite.
    """
    values = np.asarray(values, dtype=np.float64)
    num_starts, num_noises = values.shape[:2]
    if min(num_starts, num_noises) < 2:
        raise ValueError(f"{num_starts} starts × {num_noises} noises; at least two of each are needed")
    values = values.reshape(num_starts, num_noises, -1)
    overall = values.mean(axis=(0, 1))
    by_start, by_noise = values.mean(axis=1), values.mean(axis=0)
    remainder = values - by_start[:, None] - by_noise[None, :] + overall
    mean_square_start = num_noises * np.square(by_start - overall).sum() / (num_starts - 1)
    mean_square_noise = num_starts * np.square(by_noise - overall).sum() / (num_noises - 1)
    interaction = np.square(remainder).sum() / ((num_starts - 1) * (num_noises - 1))
    start = (mean_square_start - interaction) / num_noises
    noise = (mean_square_noise - interaction) / num_starts
    total = start + noise + interaction
    if not 0 < total < math.inf:
        raise UserError(
            "all images of the grid are equal or not finite, so there is no variance to split; "
            "train the network for longer, or sample the grid again"
        )
    return {source: part / total for source, part in zip(SOURCES, (start, noise, interaction), strict=True)}


def share_errors(values: Float[np.ndarray, "start noise *dims"]) -> dict[str, float]:
    """Return the standard error of each share by leaving out one start, and one noise, at a time (two-way jackknife).

    With the shares s_(i) without start i, and those without noise j, the squared error is the sum of
    (n − 1)/n Σ (s_(i) − mean)² over starts and over noises. It is NaN with fewer than three starts or noises.
    """
    values = np.asarray(values, dtype=np.float64)
    squares = dict.fromkeys(SOURCES, 0.0)
    for axis, count in enumerate(values.shape[:2]):
        try:
            left_out = [variance_shares(np.delete(values, one, axis)) for one in range(count)] if count > 2 else []
        except UserError:  # a single start or noise makes all of the difference
            left_out = []
        for source in SOURCES:
            spread = np.var([shares[source] for shares in left_out]) if left_out else math.nan
            squares[source] += float((count - 1) * spread)
    return {source: math.sqrt(square) for source, square in squares.items()}


def share_interval(share: float, error: float) -> tuple[float, float]:
    """Return the 95 % interval of a share, symmetric on the scale of its log odds, so that it ends inside 0…1."""
    inside = min(max(share, SMALLEST), 1 - SMALLEST)  # an unbiased share may be slightly outside
    middle, half = math.log(inside / (1 - inside)), NORMAL_95 * error / (inside * (1 - inside))
    ends = np.clip([middle - half, middle + half], -LARGEST_ODDS, LARGEST_ODDS)
    low, high = (1 / (1 + np.exp(-ends))).tolist()
    return min(low, share), max(high, share)


def share_rows(images: Float[np.ndarray, "start noise height width channel"]) -> list[dict[str, object]]:
    """Return one row for the mean color and one for the structure, each share with its standard error."""
    size = images.shape[:2]
    rows: list[dict[str, object]] = []
    for quantity, values in color_and_structure(images).items():
        shares = variance_shares(values)
        errors = {f"{source}_error": error for source, error in share_errors(values).items()}
        rows.append({"quantity": quantity, "num_starts": size[0], "num_noises": size[1], **shares, **errors})
    return rows


def color_and_structure(
    images: Float[np.ndarray, "start noise height width channel"],
) -> dict[str, Float[np.ndarray, "start noise *dims"]]:
    """Split images into the mean color of each and the remaining structure."""
    color = images.mean(axis=(2, 3))
    return {"mean colour": color, "structure": images - color[:, :, None, None]}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and quantity, with the shares of variance."""
    shares = {
        source: [
            f"{share:.1%} ± {error:.1%}" for share, error in zip(table[source], table[f"{source}_error"], strict=True)
        ]
        for source in SOURCES
    }
    grid = [f"{row.num_starts} × {row.num_noises}" for row in table.itertuples()]
    return table[["experiment", "quantity"]].assign(grid=grid, **shares)


def crossed(config: Config) -> list[Run]:
    """Return the experiments with this measure, and those whose largest blur a figure compares."""
    names = [name for name, variant in config.variants.items() if variant.has_disentanglement]
    return [Run(config, name) for name in dict.fromkeys((*names, *config.figures.get("blur_max", ())))]


MEASURE = Measure(
    compute=compute,
    runs=crossed,
    inputs={"grid": Input("samples/{experiment}/starts_noises.npy", about="every start with every noise, .npy")},
    outputs={"disentanglement": "metrics/disentanglement/{experiment}.csv"},
    labels=of_experiment,
    tables={
        "disentanglement": Table(
            heading="Variance due to start and noise",
            explanation=(
                "Every start is sampled with every noise. The table has the shares of start, noise and interaction in "
                "the variance of the mean color, and of the remaining structure. They come from a two-way analysis of "
                "variance corrected for degrees of freedom; ± is one standard error by a jackknife over starts and "
                "noises."
            ),
            columns={
                "quantity": "`mean colour`, or the `structure` without it",
                "num_starts, num_noises": "size of the grid",
                "start, noise, interaction": "shares of the variance, which sum to one",
                "start_error, noise_error, interaction_error": (
                    "their standard errors, by leaving out one start and one noise at a time"
                ),
            },
            summarize=summarize,
            notes="Null: 0. The shares are unbiased, so a share near zero may be slightly negative.",
        ),
    },
    is_local=True,
)
