"""Simulated duration of the paper's scale on 1, 8 and 64 GPUs, from its plan of jobs and estimated durations.

The jobs, their order, priorities and resources are those that `snakemake -n` plans for config.yaml; durations of jobs
with a network are those of `ihdm models plan`, all others are the constants below. Nothing of it runs on a GPU.

Usage: python benchmarks/simulation.py                            all of it, simulated
       python benchmarks/simulation.py run GPUS HOURS_A_SECOND    run by Snakemake itself, with jobs that sleep
       python benchmarks/simulation.py plan                       how long Snakemake plans, with more and more jobs
"""

import heapq
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import yaml

from ihdm.config.reading import load_yaml, parse_config
from ihdm.config.scale import Config
from ihdm.models.plan import GB, Machine, seconds_of
from ihdm.models.work import WORK

ROOT = Path(__file__).parents[1]
MACHINE = Machine(60.0, 120.0, 80 * GB)
HOUR = 3600.0
GPUS, SHARDS = (1, 8, 64), (10, 50)
CORES_FOR_EACH_GPU = 8
START = 20 / HOUR
"""Hours until a job with a network begins: Python, its libraries, weights, hashes of what it reads."""
SHORT = 10 / HOUR
"""Hours of a job that reads and writes tables or draws a figure."""
HOURS = {
    "data": 0.2,
    "data ffhq128": 1.0,
    "data ffhq256": 1.0,
    "metrics_moments": 0.1,
    "metrics_features": 0.1,
    "metrics_samples": 0.8,
    "metrics_distance_real": 1.0,
    "metrics_memorisation": 0.1,
    "metrics_spectrum_real": 0.2,
    "metrics_mean_power": 0.1,
    "metrics_likelihood": 0.1,
    "metrics_minimum_likelihood": 0.1,
    "metrics_diagnostics": 0.1,
    "samples": 0.02,
}
"""Hours of jobs without a network, all guessed but that of metrics_samples (benchmarks/README.md). Others are short."""

Rank = Callable[["Job"], tuple[float, ...]]


@dataclass(frozen=True)
class Job:
    """A job of the plan.

    Attributes:
        number: its place in the plan.
        rule: its rule.
        wildcards: by name.
        needs: the numbers of the jobs whose outputs it reads.
        gpus: how many it asks for.
        priority: Snakemake's.
        hours: how long it takes.
    """

    number: int
    rule: str
    wildcards: Mapping[str, str]
    needs: frozenset[int]
    gpus: int
    priority: int
    hours: float = 0.0


class Outcome(NamedTuple):
    """A simulated run: hours from the first job to the end of the last, and GPU-hours that jobs held."""

    hours: float
    held: float


def planned_text(config_file: Path, directory: Path) -> str:
    """Return what Snakemake says of a scale that nothing is made of yet."""
    words = [sys.executable, "-m", "snakemake", "-n", "--configfile", str(config_file), "--directory", str(directory)]
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True).stdout  # noqa: S603


def parse_plan(text: str) -> list[Job]:
    """Return the jobs of a dry run's output, in an order in which they could run."""
    jobs: list[Job] = []
    makers: dict[str, int] = {}
    for block in re.split(r"^(?:local)?rule (?=\w+:$)", text.split("\nJob stats:\n")[1], flags=re.MULTILINE)[1:]:
        rule = block[: block.index(":")]
        fields = dict(re.findall(r"^ {4}(\w+): (.*)$", block, re.MULTILINE))
        resources = _pairs(fields["resources"])
        needs = frozenset(makers[path] for path in _paths(fields, "input"))
        jobs.append(
            Job(
                len(jobs), rule, _pairs(fields.get("wildcards", "")), needs,
                int(resources["gpu"]), int(fields.get("priority", 0)),
            )
        )  # fmt: skip
        makers |= dict.fromkeys(_paths(fields, "output"), jobs[-1].number)
    return jobs


def _paths(fields: Mapping[str, str], key: str) -> list[str]:
    return fields[key].split(", ") if key in fields else []


def _pairs(text: str) -> dict[str, str]:
    return dict(re.findall(r"(\w+)=([^,]*)", text))


def timed(jobs: list[Job], config: Config) -> list[Job]:
    """Return the jobs with their durations."""
    known: dict[tuple[str, str], float] = {}
    found = []
    for job in jobs:
        name = job.wildcards.get("experiment") or job.wildcards.get("dataset", "")
        if (key := (job.rule, name)) not in known:
            known[key] = HOURS.get(f"{job.rule} {name}", HOURS.get(job.rule, SHORT))
            if job.rule in WORK and job.gpus:
                known[key] = START + seconds_of(config, MACHINE, name, WORK[job.rule](config, name)) / HOUR
        found.append(replace(job, hours=known[key]))
    return found


def on_several_gpus(jobs: list[Job], gpus: int) -> list[Job]:
    """Return the jobs with each training on several GPUs, as if that made it as many times as fast."""
    return [
        replace(job, gpus=gpus, hours=job.hours / gpus) if job.rule in ("models", "models_whitened") else job
        for job in jobs
    ]


def remaining(jobs: list[Job]) -> list[float]:
    """Return for each job the hours until everything that waits for it could be done: its longest way to the end."""
    longest = [0.0] * len(jobs)
    for job in reversed(jobs):
        longest[job.number] += job.hours
        for needed in job.needs:
            longest[needed] = max(longest[needed], longest[job.number])
    return longest


def simulate(jobs: list[Job], gpus: int, rank: Rank) -> Outcome:
    """Run the jobs: whenever one can begin, the first by rank of those that are ready and fit is begun."""
    free_gpus, free_cores, now, held = gpus, gpus * CORES_FOR_EACH_GPU, 0.0, 0.0
    waiting = {job.number: set(job.needs) for job in jobs}
    followers: dict[int, list[int]] = {job.number: [] for job in jobs}
    for job in jobs:
        for needed in job.needs:
            followers[needed].append(job.number)
    ready = sorted((job for job in jobs if not job.needs), key=rank)
    running: list[tuple[float, int]] = []
    while ready or running:
        left = []
        for job in ready:
            if job.gpus <= free_gpus and free_cores:
                free_gpus, free_cores = free_gpus - job.gpus, free_cores - 1
                held += job.gpus * job.hours
                heapq.heappush(running, (now + job.hours, job.number))
            else:
                left.append(job)
        now = running[0][0]
        while running and running[0][0] == now:
            _, number = heapq.heappop(running)
            free_gpus, free_cores = free_gpus + jobs[number].gpus, free_cores + 1
            for follower in followers[number]:
                waiting[follower].discard(number)
                if not waiting[follower]:
                    left.append(jobs[follower])
        ready = sorted(left, key=rank)
    return Outcome(now, held)


def by_priority(job: Job) -> tuple[float, ...]:
    """Rank as Snakemake does, which knows no durations: equal ones in the order of the plan."""
    return (-job.priority, job.number)


def by_longest_way(jobs: list[Job]) -> Rank:
    """Rank as one would who knows all durations."""
    longest = remaining(jobs)
    return lambda job: (-longest[job.number],)


def variant(folder: Path, num_shards: int) -> tuple[Path, Config]:
    """Return the paper's scale with another number of shards, as a file and as it is read."""
    values = load_yaml(ROOT / "config.yaml")
    values["evaluation"]["num_shards"] = num_shards
    path = folder / f"shards{num_shards}.yaml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return path, parse_config(values)


def compare(folder: Path) -> None:
    """Print the duration for each number of GPUs, with lower bounds."""
    print(
        "| shards | GPUs | a training on | jobs | days | longest way first | critical path | work / GPUs | GPUs idle |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for num_shards in SHARDS:
        path, config = variant(folder, num_shards)
        planned = timed(parse_plan(planned_text(path, folder)), config)
        for gpus, width in [*((gpus, 1) for gpus in GPUS), (8, 4), (64, 8)]:
            jobs = on_several_gpus(planned, width)
            found, best = (simulate(jobs, gpus, rank) for rank in (by_priority, by_longest_way(jobs)))
            work = sum(job.gpus * job.hours for job in jobs) / gpus
            days = (found.hours, best.hours, max(remaining(jobs)), work)
            idle = 1 - found.held / (gpus * found.hours)
            columns = " | ".join(f"{hours / 24:.1f}" for hours in days)
            print(f"| {num_shards} | {gpus} | {width} | {len(jobs)} | {columns} | {idle:.0%} |", flush=True)


SLEEPER = """\
rule {name}:
    input: {inputs}
    output: "{name}"
    priority: {priority}
    resources: gpu={gpus}
    shell: "sleep {seconds:.3f}; touch {{output}}"
"""


def snakefile(jobs: list[Job], hours_a_second: float) -> str:
    """Return the same plan with a rule for each job, which sleeps."""
    rules = [f'rule all:\n    input: "job{jobs[-1].number}"\n']
    for job in jobs:
        inputs = ", ".join(f'"job{needed}"' for needed in sorted(job.needs))
        rules.append(
            SLEEPER.format(
                name=f"job{job.number}", inputs=inputs, priority=job.priority, gpus=job.gpus,
                seconds=job.hours / hours_a_second,
            )
        )  # fmt: skip
    return "\n".join(rules)


def run_sleeping(folder: Path, gpus: int, hours_a_second: float) -> None:
    """Run the plan in Snakemake with jobs that sleep, and print duration and simulation."""
    path, config = variant(folder, 10)
    jobs = timed(parse_plan(planned_text(path, folder)), config)
    (folder / "Snakefile").write_text(snakefile(jobs, hours_a_second))
    words = [sys.executable, "-m", "snakemake", "--cores", str(gpus * CORES_FOR_EACH_GPU), "--resources", f"gpu={gpus}"]
    words += ["--quiet", "all", "--max-jobs-per-timespan", "1000/4s"]
    begun = time.monotonic()
    subprocess.run([*words], cwd=folder, check=True, capture_output=True)  # noqa: S603
    taken = time.monotonic() - begun
    expected = simulate(jobs, gpus, by_priority).hours / hours_a_second
    print(f"{len(jobs)} jobs on {gpus} GPUs: {taken:.0f} s run by Snakemake, {expected:.0f} s simulated")


def time_plans(folder: Path) -> None:
    """Print how long Snakemake takes to plan, with more and more jobs."""
    for num_shards in (10, 25, 50):
        path, _ = variant(folder, num_shards)
        begun, before = time.monotonic(), _processor_seconds()
        text = planned_text(path, folder)
        taken, computed = time.monotonic() - begun, _processor_seconds() - before
        print(f"{len(parse_plan(text))} jobs: {taken:.1f} s, of a processor {computed:.1f} s", flush=True)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        match sys.argv[1:]:
            case []:
                compare(Path(scratch))
            case ["run", number, speed]:
                run_sleeping(Path(scratch), int(number), float(speed))
            case ["plan"]:
                time_plans(Path(scratch))
            case _:
                sys.exit(__doc__)
