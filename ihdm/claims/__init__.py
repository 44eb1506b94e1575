"""Claims of the paper and of this repository as data, each with a decision rule."""

from ihdm.claims import (
    comparison,
    delta,
    departures,
    forward,
    generation,
    limits,
    noise,
    ours,
    published,
    start_and_noise,
)
from ihdm.claims.claim import Claim

MODULES = (forward, noise, delta, start_and_noise, comparison, generation, limits, departures, published, ours)
CLAIMS: dict[str, Claim] = {claim.id: claim for module in MODULES for claim in module.CLAIMS}
"""All claims by id, in the order of the report."""
