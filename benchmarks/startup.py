"""Start-up time of commands, and its share of a run.

    python benchmarks/startup.py [results/quick]

For each command, a fresh interpreter imports what the command imports and reports its processor seconds, the median of
three. `import torch` is measured the same way. Given a folder of results, it also reports how much of the run's core
time went into starting jobs, into their work, and into Snakemake or idle cores.
"""

import ast
import inspect
import statistics
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from ihdm.__main__ import app
from ihdm.commands.metrics import _compute
from ihdm.measures import jobs
from ihdm.storage.provenance import read_record

REPEATS = 3
CORES = 2
NOTABLE = ("torch", "torch._dynamo", "diffusers", "transformers", "accelerate", "scipy.stats", "sklearn", "pandas")
MEASURE = """
import resource, sys
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, *[name for name in {notable} if name in sys.modules])
"""


def commands(group: Any, prefix: str = "") -> Iterator[tuple[str, list[Any]]]:  # noqa: ANN401 (typer has no types)
    """Yield the name and the functions of every command; a measure imports in its ``compute``."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", [inspect.unwrap(command.callback)]
    if prefix == "metrics ":
        for name, job in jobs().items():
            functions = [_compute, *(member.compute for member in job.members.values())]
            yield f"metrics {name.replace('_', '-')}", functions


def imports(functions: list[Any]) -> str:
    """Return the statements by which a command imports what it needs."""
    trees = [ast.parse(textwrap.dedent(inspect.getsource(function))) for function in functions]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    found = [ast.unparse(node) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return "\n".join(["import gc, ihdm.__main__", "gc.set_threshold(50_000)", *found])


def start(code: str) -> tuple[float, list[str]]:
    """Return the processor seconds of a fresh interpreter that runs this, and the notable modules it has then."""
    words = [sys.executable, "-c", code + MEASURE.format(notable=NOTABLE)]
    outputs = [
        subprocess.run(words, capture_output=True, text=True, check=True).stdout  # noqa: S603 (this interpreter)
        for _ in range(REPEATS)
    ]
    return statistics.median(float(output.split()[0]) for output in outputs), outputs[0].split()[1:]


def share(results: Path, seconds: dict[str, float]) -> None:
    """Print what starting the jobs of a run took, by kind of command and in all."""
    records = [read_record(path) for path in results.rglob("*.meta.json")]
    known = {name.replace(" ", ""): name for name in seconds}
    names = [known["".join(record["command"].split()[:2])] for record in records]
    ends = [datetime.fromisoformat(record["finished"]) for record in records]
    begun = min(end - timedelta(seconds=record["seconds"]) for end, record in zip(ends, records, strict=True))
    wall = (max(ends) - begun).total_seconds()
    starting = sum(seconds[name] for name in names)
    working = sum(record["seconds"] for record in records)
    print("\n| command | jobs | to start them, s | to work, s |\n|---|---|---|---|")
    for name, count in Counter(names).most_common():
        worked = sum(record["seconds"] for record, other in zip(records, names, strict=True) if other == name)
        print(f"| {name} | {count} | {count * seconds[name]:.0f} | {worked:.0f} |")
    total = CORES * wall
    parts = {"to start": starting, "to work": working, "Snakemake and idle": total - starting - working}
    shares = ", ".join(f"{name} {value:.0f} core-seconds ({value / total:.1%})" for name, value in parts.items())
    print(f"\n{len(records)} jobs in {wall:.0f} s on {CORES} cores: {shares}")


def main() -> None:
    """Print the table of all commands, and the share of a run if one is given."""
    torch, _ = start("import torch")
    print(
        f"import torch: {torch:.2f} s\n\n| command | processor seconds | of import torch | imports |\n|---|---|---|---|"
    )
    found = {}
    for name, functions in commands(typer.main.get_command(app)):
        found[name], modules = start(imports(functions))
        print(f"| {name} | {found[name]:.2f} | {found[name] / torch:.2f} | {', '.join(modules)} |", flush=True)
    if len(sys.argv) > 1:
        share(Path(sys.argv[1]), found)


if __name__ == "__main__":
    main()
