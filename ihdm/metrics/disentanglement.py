"""What a sample owes to its start and what to its noise: a two-way analysis of variance (paper, figure 8).

Every start is crossed with every noise, once. The variance of a quantity then splits into parts that start, noise and
their interaction explain. Sampling is deterministic given both, so there is no further residual.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import Float

from ihdm.errors import UserError


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
