"""Claims of the paper and of this repository as data, each with a decision rule."""

from ihdm.claims import comparison, generation, images, limits, noise, ours, published
from ihdm.claims.claim import Claim

MODULES = (images, noise, comparison, generation, limits, published, ours)
CLAIMS: dict[str, Claim] = {claim.id: claim for module in MODULES for claim in module.CLAIMS}
"""All claims by id, in the order of the report."""
