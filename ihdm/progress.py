"""Progress of long tasks: a bar in a terminal, regular lines in a log file."""

import os
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

LINE_SECONDS = 15.0
"""Seconds between lines if the output is not a terminal."""


class Progress:
    """Progress towards a known total, with speed and estimated time left.

    Args:
        task: name of the task.
        total: number of units.
        unit: name of the unit.
    """

    def __init__(self, task: str, total: int, unit: str) -> None:
        self.task = task
        self.total = total
        self.unit = unit
        console = Console(stderr=True)
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} {task.fields[unit]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._id = self._bar.add_task(task, total=total, unit=unit, note="")

    def __enter__(self) -> Self:
        self._bar.start()
        self._started = self._last_line = time.monotonic()
        self._first: int | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def update(self, done: int, note: str = "") -> None:
        """Report the number of finished units; the speed is measured from the first call on."""
        now = time.monotonic()
        if self._first is None:
            self._first, self._started = done, now
        speed = (done - self._first) / max(now - self._started, 1e-9)
        note = f"{speed:.3g} {self.unit}/s" + (f", {note}" if note else "")
        if not self._bar.disable:
            self._bar.update(self._id, completed=done, note=note)
        elif done == self.total or now - self._last_line > LINE_SECONDS:
            self._last_line = now
            left = f"{(self.total - done) / speed:.0f} s left" if speed > 0 else "ETA unknown"
            line = f"{self.task}: {done}/{self.total} {self.unit}, {note}, {left if done < self.total else 'done'}"
            try:
                print(line, file=sys.stderr, flush=True)
            except OSError:
                # The reader of stderr may have stopped; the task continues.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
