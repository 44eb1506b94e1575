"""Devices: the GPU of this process, and its place in a distributed training."""

import ctypes
import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ihdm.errors import UserError

if TYPE_CHECKING:
    import torch
    from accelerate import PartialState

GPUS_VARIABLE = "CUDA_VISIBLE_DEVICES"
"""Names the GPUs that may be used, by index or UUID, separated by commas."""
MANAGED_VARIABLES = ("SLURM_JOB_ID", "LOCAL_RANK")
"""Who has one of these has been given GPUs of its own, by the cluster or by the process that started this one."""
PROCESSES_TIMEOUT = timedelta(hours=3)
"""Timeout of processes of one training for each other: one may hash all images first."""
POLL_SECONDS = 2.0


def claim_gpus(count: int, *, is_required: bool) -> None:
    """Reserve GPUs for this process and its children, and print the device to stderr.

    Every GPU has a lock, which is released when the last of these processes ends. So jobs of one user on one
    machine use different GPUs; if none is free, this waits. Call it before PyTorch looks for GPUs.

    Args:
        count: number of GPUs, ≥ 0; with 0, networks run on the CPU.
        is_required: whether fewer GPUs are an error.

    Raises:
        UserError: if there are fewer, and they are required.
    """
    if count == 0:
        os.environ[GPUS_VARIABLE] = ""
        return
    named = _named_gpus()
    if len(named) < count:
        if not is_required:
            os.environ[GPUS_VARIABLE] = ""  # everything on the CPU, as another job may use the GPU
    elif not any(variable in os.environ for variable in MANAGED_VARIABLES):
        os.environ[GPUS_VARIABLE] = ",".join(_claim(named, count))
    found = _usable_gpus()
    if found < count and is_required:
        raise UserError(
            f"{count} GPU{'s' * (count > 1)} requested, but PyTorch can use {found or 'none'} on this machine"
            + (f" ({GPUS_VARIABLE} is '{os.environ[GPUS_VARIABLE]}')" if GPUS_VARIABLE in os.environ else "")
            + "; check driver and installation (nvidia-smi, python -m torch.utils.collect_env), or allow the CPU: "
            "`gpus: optional` in the configuration, or the option --gpus-optional"
        )
    where = f" (GPU {os.environ[GPUS_VARIABLE]})" if found and os.environ.get(GPUS_VARIABLE) else ""
    print(f"computing on {device_name(compute_device())}{where}", file=sys.stderr)


def _named_gpus() -> list[str]:
    """Return the usable GPUs, by their names in the environment or by index."""
    given = os.environ.get(GPUS_VARIABLE)
    if given is not None:
        return [name.strip() for name in given.split(",") if name.strip()]
    import torch

    return [str(index) for index in range(torch.cuda.device_count())]


def _usable_gpus() -> int:
    import torch

    return torch.accelerator.device_count() if torch.accelerator.is_available() else 0


def _claim(names: Sequence[str], count: int) -> list[str]:
    """Lock ``count`` of these GPUs, waiting until all are free, and return them."""
    folder = Path(tempfile.gettempdir()) / f"ihdm-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    is_told = False
    while True:
        locks: dict[str, int] = {}
        for name in names:
            lock = os.open(folder / name.replace("/", "_"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            locks[name] = lock
            if len(locks) == count:
                for kept in locks.values():
                    os.set_inheritable(kept, True)  # so that it is held as long as any process that uses the GPU lives
                return list(locks)
        for lock in locks.values():
            os.close(lock)
        if not is_told:
            print(f"waiting for {count} of the GPUs {', '.join(names)}: other jobs hold them", file=sys.stderr)
            is_told = True
        time.sleep(POLL_SECONDS)


def start_processes(count: int) -> None:
    """Launch ``count`` processes that run this command together; returns in each of them, or if there is only one.

    Processes started by this function or by `torchrun` return at once.
    """
    if count < 2 or "LOCAL_RANK" in os.environ:
        return
    torchrun = shutil.which("torchrun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if torchrun is None:
        raise UserError("torchrun, which comes with PyTorch, was not found; it starts the processes of a training")
    own = ["--standalone", "--nproc-per-node", str(count), "--signals-to-handle", "SIGTERM,SIGINT,SIGHUP,SIGUSR1"]
    os.execv(torchrun, [torchrun, *own, "-m", "ihdm", *sys.argv[1:]])  # noqa: S606


def compute_device() -> "torch.device":
    """Return the device of networks: the GPU of this process if there is one, otherwise the CPU."""
    import torch

    kind = torch.accelerator.current_accelerator(check_available=True)
    rank = max(int(os.environ.get("LOCAL_RANK", "0")), 0)
    # As accelerate places processes.
    found = torch.device(kind.type, rank % torch.accelerator.device_count()) if kind else torch.device("cpu")
    _used.append(found)
    return found


_used: "list[torch.device]" = []


def used_device() -> str:
    """Return the name of the device that this process has used, see :func:`device_name`."""
    return device_name(_used[-1] if _used else "cpu")


def processes() -> "PartialState":
    """Return this process's place in a distributed training; a single process is the main one."""
    import torch
    from accelerate import PartialState

    # Without a GPU, accelerate looks for further processes only if the CPU is requested.
    return PartialState(cpu=not torch.accelerator.is_available(), timeout=PROCESSES_TIMEOUT)


def device_name(device: "torch.device | str") -> str:
    """Return ``cpu``, or the model of the GPU and its rounding options, as the last bits depend on them."""
    kind = str(device).partition(":")[0]
    if kind != "cuda":
        return kind
    import torch

    flags = {
        "TF32 in products": torch.backends.cuda.matmul.fp32_precision == "tf32",
        "TF32 in convolutions": torch.backends.cudnn.conv.fp32_precision != "ieee",  # type: ignore[attr-defined]
        "cuDNN chooses by speed": torch.backends.cudnn.benchmark,
        "cuDNN deterministic": torch.backends.cudnn.deterministic,
    }
    flags_text = [f"{name}: {'yes' if flag else 'no'}" for name, flag in flags.items()]
    return "; ".join([f"cuda, {torch.cuda.get_device_name(device)}", *flags_text])


@contextmanager
def full_precision(device: "torch.device") -> Iterator[None]:
    """Within the block, matrix products of float32 are computed in float32.

    Neighboring blur levels differ by less than the resolution of bfloat16 or TF32.
    """
    import torch

    products = (torch.backends.cuda.matmul, torch.backends.mkldnn.matmul)  # type: ignore[attr-defined]
    before = [backend.fp32_precision for backend in products]
    with torch.autocast(device.type, enabled=False):
        if {*before} <= {"none", "ieee"}:
            yield
            return
        try:
            for backend in products:
                backend.fp32_precision = "ieee"
            yield
        finally:
            for backend, precision in zip(products, before, strict=True):
                backend.fp32_precision = precision


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""The GNU C library's names of two options of its allocator."""


def keep_freed_memory() -> None:
    """Keep freed memory in this process, because every step of a network needs the same memory again.

    The GNU C library returns large blocks to the system, which clears them page by page for the next step. That takes
    up to a quarter of a step's time on a CPU. Peak memory is the same. Other C libraries are not changed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, -1)  # never
        mallopt(_M_MMAP_THRESHOLD, 32 * 2**20)  # the largest value that every version takes
