"""Effect of bfloat16 on a trained network, with its first convolution in float32 and without, on a CPU.

    python benchmarks/precision.py results/quick photos

The first argument is the folder of a run, the second one of its experiments on heat. Prints a table for
benchmarks/README.md.
"""

import copy
import sys
from pathlib import Path

import pandas as pd
import torch
from torch import nn

from ihdm.config.processes import HeatSettings
from ihdm.metrics.heldout import dequantize
from ihdm.models.network import Deblurrer, load_network, read_origin
from ihdm.processes import build_process
from ihdm.storage.reading import open_images

NUM_IMAGES = 50
SHARES = (0, 0.1, 0.25, 0.5, 1)
"""Levels that are compared, as shares of K; the first is level 1."""


def compare(results: Path, experiment: str) -> pd.DataFrame:
    """Return one row for each level: of both ways, how far f is from float32's, in σ, and how much its error grows."""
    model = results / "models" / experiment
    origin = read_origin(model)
    settings = HeatSettings.model_validate(origin.settings["process"])
    images = open_images(origin.training_images().parent / "test.npy")[:NUM_IMAGES]
    unet = load_network(model, settings, images).unet
    rounded = copy.deepcopy(unet)
    rounded.conv_in.__class__ = nn.Conv2d
    process, clean = build_process(settings, images.shape[1]), dequantize(images)
    random, rows = torch.Generator().manual_seed(0), []
    for level in sorted({max(1, int(share * settings.num_levels)) for share in SHARES}):
        levels = torch.full((len(clean),), level)
        noisy = process.draw(clean, levels, torch.randn(clean.shape, generator=random))
        target = process.mean(clean, levels - 1)
        with torch.no_grad():
            exact = unet(noisy, levels)
            found = {"first in float32": Deblurrer(unet, "bf16")(noisy, levels)}
            with torch.autocast("cpu", torch.bfloat16):
                found["all in bfloat16"] = rounded(noisy, levels).float()
        error = (noisy + exact - target).square().mean()
        row: dict[str, object] = {"level": level}
        for name, output in found.items():
            grown = (noisy + output - target).square().mean() / error - 1
            row[f"{name}: difference in σ"] = float((output - exact).std()) / settings.sigma
            row[f"{name}: error grows by %"] = 100 * float(grown)
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    print(compare(Path(sys.argv[1]), sys.argv[2]).to_markdown(index=False, floatfmt=".3g"))
