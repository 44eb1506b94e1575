"""Forward processes: a class for each, with settings in ``ihdm.config.processes``."""

import torch

from ihdm.config.processes import (
    BlurringSettings,
    DiffusionSettings,
    FlowSettings,
    HeatSettings,
    ProcessSettings,
    SoftSettings,
)
from ihdm.processes.diffusion import Blurring, Diffusion, Flow
from ihdm.processes.heat import HeatDissipation, Soft
from ihdm.processes.process import Process

PROCESSES = {
    HeatSettings: HeatDissipation,
    DiffusionSettings: Diffusion,
    BlurringSettings: Blurring,
    SoftSettings: Soft,
    FlowSettings: Flow,
}

__all__ = ["Process", "build_process"]


def build_process(settings: ProcessSettings, image_size: int, device: torch.device | str = "cpu") -> Process:
    """Build the process of an experiment for square images."""
    process: Process = PROCESSES[type(settings)](settings, image_size, image_size, device)
    return process
