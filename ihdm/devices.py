"""Where networks compute: the device of this process, and its place among those of a distributed training."""

import torch
from accelerate import PartialState


def compute_device() -> torch.device:
    """Return where networks run: the GPU of this process if there is one, else the CPU."""
    device: torch.device = processes().device
    return device


def processes() -> PartialState:
    """Return this process's place among those of a distributed training; alone, it is the main one of one."""
    # Without a GPU, accelerate looks for further processes only if told that the CPU is meant.
    return PartialState(cpu=not torch.accelerator.is_available())
