"""Which frequencies the steps of generation add: the power of their sum over a range of levels, by band."""

import numpy as np
from jaxtyping import Float, Int

from ihdm.errors import UserError
from ihdm.metrics.estimates import SHARE, mean_of_defined
from ihdm.metrics.spectrum import NUM_WIDE_ANNULI, annulus_members, coefficient_power, radial_frequencies


def cumulative_sum_rows(
    edges: Int[np.ndarray, "edge"], sums: Float[np.ndarray, "range image height width channel"]
) -> list[dict[str, object]]:
    """Return one row for each range of levels and band: the band's share of the power of the range's sum.

    The power is that of all frequencies but the constant one; the shares of an image sum to one, and their mean over
    images is told. Images without power in a range are left out of it, and ``n`` tells how many remain.

    Args:
        edges: levels between which the ranges lie, descending from K to 0.
        sums: Σ over the steps of a range of what each adds to the image.

    Raises:
        UserError: if there is not one range between each two edges.
    """
    if len(sums) != len(edges) - 1:
        raise UserError(f"cumulative sums: {len(sums)} ranges between {len(edges)} levels; there must be one less")
    height, width = sums.shape[2:4]
    inside = annulus_members(height, width, NUM_WIDE_ANNULI)
    frequencies = radial_frequencies(height, width).ravel()[1:] @ (inside / inside.sum(axis=0))
    rows: list[dict[str, object]] = []
    for number, added in enumerate(sums):
        power = coefficient_power(added).reshape(len(added), -1)[:, 1:] @ inside
        total = power.sum(axis=1, keepdims=True)
        shares = np.divide(power, total, out=np.full(power.shape, np.nan), where=total > 0)
        named = {"range": number, "level_from": int(edges[number]), "level_to": int(edges[number + 1])}
        for band, frequency in enumerate(frequencies.tolist()):
            count, estimate = mean_of_defined(shares[:, band], SHARE)
            rows.append({**named, "band": band, "frequency": frequency, "n": count, **estimate.columns()})
    return rows
