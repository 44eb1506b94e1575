import platform
import subprocess
import sys
import textwrap

import pytest

from ihdm.devices import keep_freed_memory

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
def test_freed_memory_is_not_cleared_anew_at_every_step():
    """As it comes, most processes have all 47 000 pages cleared at every step."""
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM)]
    faults = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert max(map(int, faults[3:])) < 100


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    keep_freed_memory()
