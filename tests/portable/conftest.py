from collections.abc import Callable

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

from ihdm.calibration import measure
from ihdm.config.experiments import NetworkSettings
from ihdm.models.network import build_network
from ihdm.models.unet import UNet, to_diffusers
from ihdm.portable.pipeline import IHDMPipeline
from ihdm.portable.prior import StoredCalibration, keep_coefficients
from ihdm.portable.scheduler import IHDMScheduler
from ihdm.processes import build_process
from ihdm.storage.tensors import to_tensor

PROCESSES = {
    "heat": {"kind": "heat", "sigma": 0.02, "num_levels": 6, "blur_sigma_min": 0.4, "blur_sigma_max": 6.0},
    "diffusion": {"kind": "diffusion", "num_levels": 25},
    "blurring": {"kind": "blurring", "num_levels": 25, "blur_sigma_max": 3.0},
}
PRESET = NetworkSettings(
    image_size=8,
    image_channels=3,
    base_channels=8,
    channel_multipliers=(1, 2),
    blocks_per_stage=1,
    attention_stages=(),
    dropout=0.1,
    norm_groups=4,
)


@pytest.fixture(scope="session")
def train() -> np.ndarray:
    """Training images, smooth ones."""
    rng = np.random.default_rng(0)
    waves = np.cos(np.pi * np.arange(8) / 8 * rng.uniform(0, 2, (40, 3, 1)) + rng.uniform(0, 3, (40, 3, 1)))
    images = waves[:, :, :, None] * waves[:, ::-1, None, :]
    return np.rint(127 + 100 * images).astype(np.uint8).transpose(0, 2, 3, 1)


@pytest.fixture
def network() -> UNet:
    """A network whose output is not zero, as that of a fresh one is."""
    torch.manual_seed(0)
    network = build_network(PRESET)
    torch.nn.init.normal_(network.conv_out.weight, std=0.02)
    return network.eval()


@pytest.fixture
def unet(network) -> UNet2DModel:
    """The same network as diffusers builds it."""
    unet = UNet2DModel.from_config(to_diffusers(PRESET))
    unet.load_state_dict(network.state_dict())
    return unet.eval()


@pytest.fixture
def make_pipeline(network, unet, train) -> Callable[..., IHDMPipeline]:
    """A pipeline of any process and sampler, measured or not."""

    def make(kind: str = "heat", *, is_measured: bool = False, **options: object) -> IHDMPipeline:
        scheduler = IHDMScheduler(process=PROCESSES[kind], **options)
        built = build_process(scheduler.process_settings, 8)
        prior = keep_coefficients(built, train) if kind == "heat" else None
        calibration = None
        if is_measured:
            levels = list(range(1, len(scheduler) + 1))
            calibration = StoredCalibration.of(measure(network, built, to_tensor(train), levels, 0, 40))
        pipeline = IHDMPipeline(unet, scheduler, prior, calibration)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    return make


@pytest.fixture
def pipeline(make_pipeline) -> IHDMPipeline:
    """A pipeline of heat with the paper's sampler."""
    return make_pipeline()


@pytest.fixture(params=PROCESSES)
def process(request) -> dict:
    """The settings of each process."""
    return PROCESSES[request.param]
