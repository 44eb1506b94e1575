"""Soft Diffusion: the blur of heat dissipation under noise that grows (Daras et al., arXiv 2209.05442)."""

from ihdm.config.processes import SoftSettings
from ihdm.processes.heat import HeatDissipation


class Soft(HeatDissipation):
    """a_k = exp(−Λ t_k) as for heat, and s_k geometric from σ at level 1 to σ_max at level K."""

    settings: SoftSettings

    def deviation(self, level: int) -> float:
        growth = self.settings.sigma_max / self.sigma
        return self.sigma * growth ** ((level - 1) / max(self.num_levels - 1, 1)) if level else 0.0
