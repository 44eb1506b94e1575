"""Pretrained models of the package: each folder here is an exported pipeline, found by listing."""

import json
import re
from math import prod
from pathlib import Path

from ihdm.config.processes import SamplerSettings

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Return the names of the pretrained models, sorted."""
    return sorted(path.parent.name for path in FOLDER.glob("*/model_index.json"))


def resolve(model: str) -> Path:
    """Return the folder of a pretrained model if ``model`` is its name, otherwise the path as given.

    Names go before local folders and model hubs; a local folder of the same name is ``./NAME``.
    """
    return FOLDER / model if model in names() else Path(model)


def describe(name: str) -> dict[str, object]:
    """Return a description of a pretrained model: data, size, process, NFE and bytes.

    Args:
        name: one of :func:`names`.
    """
    from safetensors import safe_open

    folder = FOLDER / name
    network = json.loads((folder / "unet/config.json").read_text(encoding="utf-8"))
    scheduler = json.loads((folder / "scheduler/scheduler_config.json").read_text(encoding="utf-8"))
    source = re.search(r"^- Source: ([^(,\n]+)", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    sampler = SamplerSettings(**{key: scheduler[key] for key in SamplerSettings.model_fields if key in scheduler})
    with safe_open(folder / "unet/diffusion_pytorch_model.safetensors", "numpy") as weights:
        parameters = sum(prod(weights.get_slice(key).get_shape()) for key in weights.keys())  # noqa: SIM118 (no dict)
    return {
        "name": name,
        "data": source[1].strip() if source else "unknown",
        "image size": "{0}×{0}×{1}".format(network["sample_size"], network["out_channels"]),
        "parameters": parameters,
        "process": scheduler["process"]["kind"],
        "NFE": sampler.num_evaluations(scheduler["process"]["num_levels"]),
        "bytes": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
    }
