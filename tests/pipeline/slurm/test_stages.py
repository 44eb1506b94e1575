"""The whole pipeline on a cluster, through the profile of the repository: the bytes of a run without one."""

from typing import Any

import pytest


@pytest.fixture
def scale(smoke) -> dict[str, Any]:
    """One experiment of the smoke scale through every stage, its samples drawn in parts."""
    return {
        "datasets": {"digits": smoke["datasets"]["digits"]},
        "networks": {"digits": smoke["networks"]["digits"]},
        "experiments": {"digits": smoke["experiments"]["digits"]},
        "evaluation": {**smoke["evaluation"], "extractors": {"digits": "dct"}, "num_shards": 2},
        "figures": {name: ["digits"] for name in ("delta_curve", "teaser", "training", "uncurated_samples")},
    }


def test_every_stage_through_the_profile_makes_the_bytes_of_a_run_without_a_cluster(cluster, slurm, new_run, scale):
    run, alone = new_run("cluster", scale), new_run("alone", scale)
    assert run.submit().wait() == 0, run.told
    # Jobs that ask for GPUs, and no others, are where there are some.
    of_gpus = set(slurm.ask("squeue", "-h", "-t", "all", "-p", "gpu", "-o", "%k").split())
    assert "rule_samples_shard" in {comment.partition("_wildcards")[0] for comment in of_gpus}
    assert not {comment for comment in of_gpus if "data" in comment or "figure" in comment}
    assert alone.here().wait() == 0, alone.told
    expected, found = alone.hashes(), run.hashes()
    assert len(found) > 40
    assert found == expected
