import os
import socket
import subprocess
import sys

import pytest

from ihdm.errors import UserError
from ihdm.storage.disk import LOCK_NAME, owned


def test_a_state_has_one_owner_at_a_time(tmp_path):
    state = tmp_path / "state"
    with owned(state):
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        with (
            pytest.raises(UserError, match=f"^{state}: in use by {holder}; stop it, or wait until it ends$"),
            owned(state),
        ):
            pass
        assert (state / LOCK_NAME).exists()
    assert not state.exists()
    with owned(state):
        (state / "kept").write_text("")
    assert [path.name for path in state.iterdir()] == ["kept"]


def test_a_killed_owner_frees_its_state_and_is_reported(tmp_path, capsys):
    code = "import os, sys; from pathlib import Path; from ihdm.storage.disk import owned\n"
    code += "with owned(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    killed = subprocess.Popen([sys.executable, "-c", code, tmp_path / "state"])
    killed.wait()
    assert (tmp_path / "state" / LOCK_NAME).exists()
    with owned(tmp_path / "state"):
        told = capsys.readouterr().err
    assert f"process {killed.pid} on {socket.gethostname()} was killed" in told
    with owned(tmp_path / "state"):
        assert capsys.readouterr().err == ""
