"""Snakemake as a user runs it, at the smoke scale."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def command(results: Path, *arguments: object, **changes: Any) -> list[str]:
    """Snakemake on the smoke scale with its results in another folder, and some keys changed, e.g. ``a__b=1``."""
    config = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())
    config["results"] = str(results)
    for path, value in changes.items():
        *parents, last = path.split("__")
        place = config
        for key in parents:
            place = place.setdefault(key, {})
        place[last] = value
    config_file = results.parent / f"{results.name}.yaml"
    config_file.write_text(yaml.safe_dump(config))
    words = ["--cores", "2", "--nocolor", *map(str, arguments), "--configfile", str(config_file)]
    return [sys.executable, "-m", "snakemake", *words]


def run(words: list[str], checkout: Path = ROOT) -> SimpleNamespace:
    """Run a command; return its exit status, what it printed, and the number of planned or finished jobs by rule."""
    ended = subprocess.run(words, capture_output=True, text=True, cwd=checkout, env=ENVIRONMENT)
    text = ended.stdout + ended.stderr
    table = re.search(r"^Job stats:\n(.*?)^total", text, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^(\w+)\s+(\d+)\s*$", table.group(1), re.MULTILINE) if table else []
    return SimpleNamespace(
        status=ended.returncode, text=text, jobs=Counter({rule: int(number) for rule, number in rows})
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder are of the second tier."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.pipeline)


@contextlib.contextmanager
def heeded_signals() -> Iterator[None]:
    """Let processes that start within it heed the signals that a background job or nohup ignores; they inherit that."""
    ignored = [number for number in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[bytes]]:
    """Start Snakemake in a session of its own, so that all of it can be killed."""

    def begin(results: Path, *arguments: object, **changes: Any) -> subprocess.Popen[bytes]:
        with heeded_signals():
            return subprocess.Popen(
                command(results, *arguments, **changes),
                cwd=ROOT,
                env=ENVIRONMENT,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    return begin


@pytest.fixture
def snakemake() -> Callable[..., SimpleNamespace]:
    """Run Snakemake to its end."""

    def run_to_end(results: Path, *arguments: object, checkout: Path = ROOT, **changes: Any) -> SimpleNamespace:
        return run(command(results, *arguments, **changes), checkout)

    return run_to_end


@pytest.fixture
def plan() -> Callable[..., SimpleNamespace]:
    """Plan a scale of the repository, or any other, as it is."""
    return lambda *arguments: run([sys.executable, "-m", "snakemake", "-n", *map(str, arguments)])
