"""The simulated runs of benchmarks/simulation.py."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ihdm.config.reading import read_config

ROOT = Path(__file__).parents[1]

PLAN = """\
host: here
Job stats:
job       count
[Wed Nov 25 20:58:55 2026]
rule models:
    input: results/data/mnist/train.npy, results/data/mnist/test.npy
    output: results/models/mnist/config.json, results/models/mnist/history.csv
    jobid: 2
    wildcards: experiment=mnist
    priority: 1
    resources: tmpdir=/tmp, mem_mb=8000, runtime=2880, gpu=1
[Wed Nov 25 20:58:55 2026]
rule samples_shard:
    input: results/models/mnist/config.json
    output: results/samples/mnist/delta1.25/shards/0/samples.npy
    jobid: 1
    wildcards: experiment=mnist, ratio=1.25, shard=0
    resources: tmpdir=/tmp, mem_mb=8000, gpu=1
[Wed Nov 25 20:58:55 2026]
rule all:
    input: results/samples/mnist/delta1.25/shards/0/samples.npy
    jobid: 0
    resources: tmpdir=/tmp, mem_mb=2000, gpu=0
Job stats:
job       count
"""


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulation", ROOT / "benchmarks/simulation.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["simulation"] = module  # where dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_the_plan_is_read_as_snakemake_prints_it(simulation: ModuleType) -> None:
    data = PLAN.replace("\nrule models:", "\nrule data:\n    output: results/data/mnist/train.npy, "
        "results/data/mnist/test.npy\n    jobid: 3\n    resources: gpu=0\n[Wed]\nrule models:", 1)  # fmt: skip
    jobs = simulation.parse_plan(data)
    assert [(job.rule, job.needs, job.gpus, job.priority) for job in jobs] == [
        ("data", set(), 0, 0), ("models", {0}, 1, 1), ("samples_shard", {1}, 1, 0), ("all", {2}, 0, 0)
    ]  # fmt: skip
    timed = simulation.timed(jobs, read_config(ROOT / "config.yaml"))
    assert timed[1].hours == pytest.approx(10.2, abs=0.1)  # as in docs/cluster.md
    assert timed[2].hours == pytest.approx(0.33 / 10, abs=0.01)  # seven δ take 2.3 hours


def test_a_simulated_run_takes_what_it_must(simulation: ModuleType) -> None:
    """Three trainings of 4, 1 and 1 hours, each with a set of samples of 1 hour."""
    hours = (1.0, 1.0, 4.0)
    jobs = [simulation.Job(number, "models", {}, frozenset(), 1, 1, hours[number]) for number in range(3)]
    jobs += [simulation.Job(3 + number, "samples", {}, frozenset({number}), 1, 0, 1.0) for number in range(3)]
    jobs.append(simulation.Job(6, "all", {}, frozenset({3, 4, 5}), 0, 0, 0.0))
    ranks = {"priority": simulation.by_priority, "way": simulation.by_longest_way(jobs)}
    found = {
        (gpus, name): simulation.simulate(jobs, gpus, rank).hours for gpus in (1, 2, 8) for name, rank in ranks.items()
    }
    assert found[1, "priority"] == found[1, "way"] == 9  # all of the work
    assert found[2, "priority"] == 6  # the longest begins last
    assert found[2, "way"] == 5
    assert found[8, "priority"] == found[8, "way"] == 5  # the longest way
    assert max(simulation.remaining(jobs)) == 5
    assert simulation.simulate(jobs, 2, simulation.by_priority).held == 9
