"""What a change of the configuration reaches: a stage runs again if the settings it is given are others."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ihdm.config.reading import parse_config, read_config
from ihdm.config.scale import Config
from ihdm.measures.errors import error_settings
from ihdm.measures.evaluations import snapshot_settings, study_settings
from ihdm.measures.inputs import distance_settings
from ihdm.measures.likelihood import joint_settings, likelihood_settings
from ihdm.measures.memorisation import memorization_settings
from ihdm.measures.restoration import restoration_settings
from ihdm.measures.sweep import swept_experiments
from ihdm.runs import Run

ROOT = Path(__file__).parents[2]
SMOKE = yaml.safe_load((ROOT / "workflow/config/smoke.yaml").read_text())


def settings_of_stages(config: Config) -> dict[str, str]:
    """The settings of every stage by its name and its experiment's, as rules write them on command lines."""
    stages: dict[str, Callable[[str], Any]] = {
        "models": lambda name: config.variants[name].experiment,
        "samples": config.sampling,
        "models_calibration": config.calibration,
        "metrics_errors": lambda name: error_settings(Run(config, name)),
        "metrics_joints": lambda name: joint_settings(Run(config, name)),
        "metrics_memorisation": lambda name: memorization_settings(Run(config, name)),
        "metrics_milestones": lambda name: snapshot_settings(Run(config, name)),
        "samples_diagnose": config.sampling_diagnostics,
    }
    found = {
        f"{stage} {name}": of_variant(name).model_dump_json()
        for stage, of_variant in stages.items()
        for name in config.variants
    }
    found |= {
        f"metrics_evaluations {name}": study_settings(Run(config, name)).model_dump_json() for name in config.studies
    }
    found |= {
        f"metrics_restoration {name}": restoration_settings(Run(config, name)).model_dump_json()
        for name in config.restoration
    }
    found |= {f"delta_ratios {name}": str(variant.delta_ratios) for name, variant in config.variants.items()}
    found |= {
        f"metrics_likelihood {name}": likelihood_settings(Run(config, name)).model_dump_json()
        for name, variant in config.variants.items()
        if variant.has_likelihood
    }
    return found | {
        "metrics_samples": distance_settings(Run(config, "digits")).model_dump_json(),
        "metrics_sweep": swept_experiments(Run(config)).model_dump_json(),
    }


def changed(path: str, value: object) -> Config:
    """The smoke scale with one more value, e.g. at ``sweeps.sigma.digits``."""
    values = copy.deepcopy(SMOKE)
    *parents, last = path.split(".")
    place = values
    for key in parents:
        place = place.setdefault(key, {})
    place[last] = value
    return parse_config(values)


DELTA = {"delta_ratios digits", "metrics_likelihood digits", "metrics_joints digits", "metrics_evaluations digits"}
MEASURED = {
    f"{stage} {name}"
    for stage in (
        "samples",
        "samples_diagnose",
        "metrics_milestones",
        "metrics_errors",
        "metrics_joints",
        "models_calibration",
    )
    for name in ("digits", "digits_diffusion", "digits_diffusion-num_train40", "digits_whitened")
} | {"metrics_evaluations digits", "metrics_restoration digits"}


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("sweeps.delta_ratio.digits", [0, 2], DELTA),
        ("evaluation.num_shards", 3, set()),
        ("evaluation.num_samples", 30, set()),
        ("evaluation.micro_batch", 5, MEASURED),
        ("experiments.digits.run.save_minutes", 9, set()),
        ("figures.psd", ["digits", "digits_diffusion"], set()),
        ("studies.digits.counts", [6], {"metrics_evaluations digits"}),
        ("restoration.digits.num_images", 5, {"metrics_restoration digits"}),
    ],
)
def test_a_change_reaches_these_settings_alone(path, value, expected):
    before, after = settings_of_stages(parse_config(copy.deepcopy(SMOKE))), settings_of_stages(changed(path, value))
    assert {stage for stage in before if before[stage] != after[stage]} == expected
    assert before.keys() == after.keys()


@pytest.mark.parametrize(
    ("path", "value", "added", "trained"),
    [
        ("sweeps.sigma.digits", [0.02], "digits-sigma0.02", True),
        ("sweeps.seed.digits", [7], "digits-seed7", True),
        ("sweeps.rounding.digits", ["truncate"], "digits-rounding_truncate", False),
    ],
)
def test_one_more_swept_value_leaves_all_others_as_they_are(path, value, added, trained):
    plain, config = parse_config(copy.deepcopy(SMOKE)), changed(path, value)
    assert config.variants.keys() - plain.variants.keys() == {added}
    assert config.variants[added].is_trained == trained
    before, after = settings_of_stages(plain), settings_of_stages(config)
    assert {stage for stage in before if before[stage] != after[stage]} == {"metrics_sweep"}


@pytest.mark.parametrize(
    ("scale", "networks"),
    [
        ("config.yaml", 18),
        ("workflow/config/desk.yaml", 11),
        ("workflow/config/quick.yaml", 25),
        ("workflow/config/seeds.yaml", 27),
    ],
)
def test_scales_train_so_many_networks(scale, networks):
    assert sum(variant.is_trained for variant in read_config(ROOT / scale).variants.values()) == networks
