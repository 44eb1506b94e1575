import os
import platform
import subprocess
import sys
import textwrap

import pytest
import torch

from ihdm import devices
from ihdm.config.processes import HeatSettings
from ihdm.devices import compute_device, device_name, full_precision, keep_freed_memory
from ihdm.heat import heat_process

PROGRAM = """
    import resource
    import torch
    from ihdm.devices import keep_freed_memory

    def step():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        blocks = [torch.ones(6_000_000) for _ in range(8)]  # of 24 MB
        del blocks
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    keep_freed_memory()
    print(*(step() for _ in range(6)))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of the GNU C library alone")
def test_freed_memory_is_not_cleared_again_at_every_step():
    """As it comes, most processes have all 47 000 pages cleared at every step."""
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    faults = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert max(map(int, faults[3:])) < 100


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    keep_freed_memory()


CLAIMING = """
    import os, sys
    from ihdm import devices
    devices.POLL_SECONDS = 0.05
    devices._usable_gpus, devices.compute_device = lambda: 0, lambda: "cpu"  # without importing torch
    devices.claim_gpus(int(sys.argv[1]), is_required=False)
    print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def claim(tmp_path):
    """Start a process that claims GPUs among made-up ones and holds them until it is let go; ends all of them."""
    started = []

    def start(count, visible="0,1", **variables):
        environment = {name: value for name, value in os.environ.items() if name not in devices.MANAGED_VARIABLES}
        environment |= {"TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": visible} | variables
        command = [sys.executable, "-c", textwrap.dedent(CLAIMING), str(count)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, env=environment, text=True, **pipes)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def let_go(process):
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.wait(60) == 0


def test_jobs_side_by_side_take_different_gpus_and_the_next_waits_for_one(claim):
    first, second = claim(1), claim(1)
    taken = [first.stdout.readline().strip(), second.stdout.readline().strip()]
    assert sorted(taken) == ["0", "1"]
    third = claim(1)
    assert third.stderr.readline() == "waiting for 1 of the GPUs 0, 1: other jobs hold them\n"
    let_go(second)
    assert third.stdout.readline().strip() == taken[1]


def test_a_job_of_two_gpus_waits_for_both_and_a_killed_one_holds_none(claim):
    first = claim(1)
    assert first.stdout.readline().strip() == "0"
    both = claim(2)
    assert both.stderr.readline().startswith("waiting for 2 of the GPUs")
    first.kill()
    assert both.stdout.readline().strip() == "0,1"


@pytest.mark.parametrize("variable", ["SLURM_JOB_ID", "LOCAL_RANK"])
def test_gpus_that_were_given_are_not_locked(claim, variable):
    taken = [claim(1, "GPU-abc", **{variable: "-1"}).stdout.readline().strip() for _ in range(2)]
    assert taken == ["GPU-abc", "GPU-abc"]


def test_too_few_optional_gpus_are_not_used(claim):
    """All processes compute on the CPU then, as with none: one GPU cannot be shared, and may be another job's."""
    assert claim(2, "0").stdout.readline() == "\n"
    assert claim(1, "0").stdout.readline() == "0\n"  # none waits for the other
    assert claim(0).stdout.readline() == "\n"


def test_a_child_keeps_the_gpu_of_its_parent(claim, tmp_path):
    """As `torchrun` does for its processes: the lock is held as long as one of them lives."""
    code = textwrap.dedent(CLAIMING).replace("sys.stdin.readline()", 'os.execvp("sleep", ["sleep", "600"])')
    environment = os.environ | {"TMPDIR": str(tmp_path), "CUDA_VISIBLE_DEVICES": "0"}
    with subprocess.Popen([sys.executable, "-c", code, "1"], env=environment, stdout=subprocess.PIPE, text=True) as own:
        assert own.stdout.readline() == "0\n"
        waiting = claim(1, "0")
        assert waiting.stderr.readline().startswith("waiting")
        own.kill()
        assert waiting.stdout.readline() == "0\n"


@pytest.mark.skipif(torch.accelerator.is_available(), reason="of machines without a GPU")
def test_a_job_that_needs_a_gpu_refuses_a_machine_without_one(ihdm, ihdm_fails, tmp_path, monkeypatch, capfd):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    told = ihdm_fails("--gpus", "2", "data", "sources")
    assert "2 GPUs requested, but PyTorch can use none on this machine" in told
    assert "`gpus: optional` in the configuration, or the option --gpus-optional" in told
    ihdm("--gpus", "1", "--gpus-optional", "data", "sources")
    assert capfd.readouterr().err == "computing on cpu\n"


def test_products_are_computed_in_full_whatever_is_switched_on():
    images = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    heat = heat_process(HeatSettings(kind="heat", sigma=0.01, num_levels=20, blur_sigma_max=8.0), 32)
    exact, seen = heat.blur(images, 7), []
    with full_precision(images.device):
        assert torch.get_float32_matmul_precision() == "highest"
    torch.set_float32_matmul_precision("medium")
    try:
        blurred = heat.blur(images, 7)
        with full_precision(images.device):
            seen += [torch.backends.cuda.matmul.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision]
        assert torch.get_float32_matmul_precision() == "medium"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert seen == ["ieee", "ieee"]
    assert torch.equal(blurred, exact)


def test_a_device_is_named_with_what_may_round(monkeypatch):
    assert device_name("cpu") == device_name(torch.device("cpu")) == "cpu"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _device: "Some GPU")
    assert device_name("cuda:0") == (
        "cuda, Some GPU; TF32 in products: no; TF32 in convolutions: yes; cuDNN chooses by speed: no; "
        "cuDNN deterministic: no"
    )


@pytest.mark.parametrize(("rank", "index"), [(None, 0), ("-1", 0), ("1", 1), ("3", 1)])
def test_processes_share_the_gpus_that_they_see(monkeypatch, rank, index):
    """As accelerate places them: one after the other, and none where there is no process number."""
    monkeypatch.setattr("torch.accelerator.current_accelerator", lambda **_options: torch.device("cuda"))
    monkeypatch.setattr("torch.accelerator.device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert compute_device() == torch.device("cuda", index)
