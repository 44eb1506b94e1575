import re
import subprocess
import sys

from ihdm.progress import Progress


def test_lines_where_there_is_no_terminal(capsys, monkeypatch):
    monkeypatch.setattr("ihdm.progress.LINE_SECONDS", 0)
    with Progress("counting", 30, unit="sheep") as progress:
        for done in (10, 20, 30):
            progress.update(done, "all white")
    lines = capsys.readouterr().err.splitlines()
    assert [re.match(r"counting: (\d+)/30 sheep, [\d.e+]+ sheep/s, all white, ", line)[1] for line in lines] == [
        "10",
        "20",
        "30",
    ]
    assert lines[0].endswith("ETA unknown")
    assert lines[1].endswith(" s left")
    assert lines[-1].endswith("done")


def test_work_outlives_the_reader_of_its_progress():
    """A stopped pipeline stops `tee` first; training must still get to save its state."""
    code = (
        "import ihdm.progress, time\n"
        "ihdm.progress.LINE_SECONDS = 0\n"
        "with ihdm.progress.Progress('counting', 9, unit='sheep') as progress:\n"
        "    for done in range(1, 9):\n"
        "        progress.update(done); time.sleep(0.02)\n"
        "print('done')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stderr.close()
        assert process.stdout.read() == "done\n"
    assert process.returncode == 0
