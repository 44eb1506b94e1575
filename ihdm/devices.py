"""Where networks compute: the device of this process, and its place among those of a distributed training."""

import ctypes

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


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""The GNU C library's names of two options of its allocator."""


def keep_freed_memory() -> None:
    """Let this process keep what it frees, as every step of a network asks for the same memory again.

    The GNU C library gives large blocks back to the system, which then clears them page by page for the next step: up
    to a quarter of a step's time on a CPU. The most memory that is held is the same. Other libraries stay as they are.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, -1)  # never
        mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # the largest value that every version takes
