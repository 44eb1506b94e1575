"""Split the variance of mean colour and of structure into what start, noise and interaction explain (paper, figure 8).

Every start is crossed with every noise, once. The variance of a quantity then splits into parts that start, noise and
their interaction explain. Sampling is deterministic given both, so there is no further residual.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from ihdm.config.scale import Config
from ihdm.errors import UserError
from ihdm.measures import Files, Measure, NoSettings, Results, Table
from ihdm.measures.inputs import of_experiment
from ihdm.runs import Input, Run
from ihdm.storage.reading import read_array


def compute(files: Files, settings: NoSettings) -> Results:
    """Return the shares of variance."""
    images = read_array(files["grid"])
    if images.ndim != 5 or min(images.shape[:2]) < 2 or not np.issubdtype(images.dtype, np.floating):
        raise UserError(
            f"{files['grid']}: holds {images.dtype} of shape {images.shape}, not floats of start × noise × height × "
            "width × channel, two or more starts and noises"
        )
    return {"disentanglement": share_rows(images)}


@dataclass(frozen=True)
class VarianceShares:
    """Shares of the variance, which sum to one. An unbiased share of about zero may come out slightly negative."""

    start: float
    noise: float
    interaction: float


def variance_shares(values: Float[np.ndarray, "start noise *dims"]) -> VarianceShares:
    """Return the shares of start, noise and interaction in the variance, summed over all dimensions.

    The variance components are unbiased: with mean squares M of the a starts, b noises and the interaction,

        σ²_start = (M_start − M_inter) / b,    σ²_noise = (M_noise − M_inter) / a,    σ²_inter = M_inter

    Raises:
        ValueError: if there are fewer than two starts or noises, or nothing varies.
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
    if total <= 0:
        raise ValueError("the values do not vary, so there is no variance to share")
    return VarianceShares(start / total, noise / total, interaction / total)


def share_error(share: float, num_starts: int, num_noises: int) -> float:
    """Return the standard error that so few starts and noises leave a share with.

    A variance from n independent values has a relative error of √(2 / (n − 1)); to first order, the share s of one of
    two such variances has s (1 − s) √(2 / (a − 1) + 2 / (b − 1)). What varies in many directions is known better.
    """
    inside = min(max(share, 0.0), 1.0)  # an unbiased share may lie slightly outside
    return inside * (1 - inside) * math.sqrt(2 / (num_starts - 1) + 2 / (num_noises - 1))


def share_rows(images: Float[np.ndarray, "start noise height width channel"]) -> list[dict[str, object]]:
    """Return one row for the mean colour and one for the structure, each share with its standard error."""
    size = images.shape[:2]
    rows: list[dict[str, object]] = []
    for quantity, values in colour_and_structure(images).items():
        shares = asdict(variance_shares(values))
        errors = {f"{source}_error": share_error(share, *size) for source, share in shares.items()}
        rows.append({"quantity": quantity, "num_starts": size[0], "num_noises": size[1], **shares, **errors})
    return rows


def colour_and_structure(
    images: Float[np.ndarray, "start noise height width channel"],
) -> dict[str, Float[np.ndarray, "start noise *dims"]]:
    """Split images into the mean colour of each and what remains without it."""
    colour = images.mean(axis=(2, 3))
    return {"mean colour": colour, "structure": images - colour[:, :, None, None]}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and quantity, with the shares of variance."""
    shares = {
        source: [
            f"{share:.1%} ± {error:.1%}" for share, error in zip(table[source], table[f"{source}_error"], strict=True)
        ]
        for source in ("start", "noise", "interaction")
    }
    grid = [f"{row.num_starts} × {row.num_noises}" for row in table.itertuples()]
    return table[["experiment", "quantity"]].assign(grid=grid, **shares)


def crossed(config: Config) -> list[Run]:
    """Return the networks that are measured so, and those whose largest blur a figure compares."""
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
            heading="What comes from the start, what from the noise?",
            explanation=(
                "Every start is sampled with every noise. Shares of the variance of the mean colour, and of the "
                "structure that remains without it, from a two-way analysis of variance corrected for degrees of "
                "freedom; ± one standard error, on the wide side for structure, which varies in many directions."
            ),
            columns={
                "num_starts, num_noises": "the size of the grid",
                "start, noise, interaction": "shares of the variance that each explains; they sum to one",
                "start_error, noise_error, interaction_error": (
                    "standard errors of these, from how few starts and noises there are; too wide for structure"
                ),
            },
            summarise=summarise,
            rows=(
                "What do start and noise decide? Every start is sampled with every noise. One row for the `mean "
                "colour` and one for the `structure` that remains without it."
            ),
            notes="The shares are unbiased, so that one of about zero may be slightly negative. Null: 0.",
        ),
    },
    is_local=True,
)
