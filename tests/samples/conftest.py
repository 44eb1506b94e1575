import pytest
import torch
from torch import nn

from ihdm.config.experiments import NetworkSettings
from ihdm.models.network import build_network


@pytest.fixture(scope="session")
def unet() -> nn.Module:
    """A network of 8×8 color images whose output depends on its input, which the zero initialization would hide."""
    torch.manual_seed(0)
    network = build_network(
        NetworkSettings(
            image_size=8, image_channels=3, base_channels=8, channel_multipliers=(1, 2), blocks_per_stage=1,
            attention_stages=(1,), dropout=0.0, norm_groups=4,
        )
    )  # fmt: skip
    for parameter in network.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    return network.eval()
