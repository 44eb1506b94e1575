"""L_K in the coefficients that survive the blur, against an FFT blur per test batch and distances in pixels.

Both get 10 000 training images and 256 test images of 3×32×32 (`--train`, `--test` change that), σ_B,max = 24. The
plain way blurs all training images again for each batch of 128 test images, as the released code does, and takes
`torch.cdist` in pixels: as it comes, which expands the square around zero in float32 and loses digits by that, or
exactly.

Usage: pip install -e '.[benchmark]'; python benchmarks/likelihood.py
"""

import argparse
import math
from functools import partial

import numpy as np
import torch
from measuring import median_seconds
from torch import Tensor
from torch_dct import dct_2d, idct_2d

from ihdm.heat import HeatProcess, blur_schedule, decay
from ihdm.likelihood import prior_kl_bounds

SIGMA, DELTA = 0.01, 0.0125
BATCH = 128
ROUNDS = 1
CHUNK = 4096
MODES = {
    "as it comes": "use_mm_for_euclid_dist_if_necessary",
    "exact": "donot_use_mm_for_euclid_dist",
}


def plain_bound(train: Tensor, test: Tensor, heat: HeatProcess, mode: str) -> Tensor:
    """Return L_K with an FFT blur of everything for each test batch, and `cdist` between pixels."""
    line = torch.as_tensor(decay(heat.height, heat.blur_sigmas[-1:])[0], dtype=torch.float32)
    factors = line[:, None] * line
    num_dims = test[0].numel()
    constant = num_dims * ((SIGMA / DELTA) ** 2 - 1 + 2 * math.log(DELTA / SIGMA)) / 2
    found = []
    for batch in test.split(BATCH):
        blurred = idct_2d(dct_2d(batch, norm="ortho") * factors, norm="ortho").flatten(1)
        centers = idct_2d(dct_2d(train, norm="ortho") * factors, norm="ortho").flatten(1)
        distances = torch.cdist(blurred, centers, compute_mode=mode).double()
        found.append(-torch.logsumexp(-(constant + distances.square() / (2 * DELTA**2)), dim=1))
    return math.log(len(train)) + torch.cat(found)


def surviving_bound(train: Tensor, test: Tensor, heat: HeatProcess) -> Tensor:
    """Return L_K as the pipeline computes it."""
    return prior_kl_bounds(train.split(CHUNK), test, heat, SIGMA, [DELTA])[0]


def main() -> None:
    """Print a row for each way of `cdist`: seconds of both, their ratio, the largest relative difference."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", type=int, default=10_000)
    parser.add_argument("--test", type=int, default=256)
    counts = parser.parse_args()
    rng = np.random.default_rng(0)
    # Blurred noise has no differences to speak of; smooth images with contrast do.
    coarse = torch.as_tensor(rng.random((counts.train + counts.test, 3, 4, 4), dtype=np.float32))
    images = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bilinear")
    images = (images + 0.1 * torch.as_tensor(rng.random(images.shape, dtype=np.float32))) / 1.1
    train, test = images[: counts.train].contiguous(), images[counts.train :].contiguous()
    heat = HeatProcess(blur_schedule(0.5, 24.0, 200), 32, 32)
    ways = {"surviving": partial(surviving_bound, train, test, heat)}
    ways |= {name: partial(plain_bound, train, test, heat, mode) for name, mode in MODES.items()}
    seconds = median_seconds(ways, ROUNDS)
    found = ways["surviving"]()
    print("| cdist | surviving coefficients | pixels | times | largest relative difference |")
    print("|---|---|---|---|---|")
    for name in MODES:
        difference = float(((found - ways[name]()) / found).abs().max())
        ours, plain = seconds["surviving"], seconds[name]
        print(f"| {name} | {1000 * ours:.0f} ms | {plain:.1f} s | {plain / ours:.0f} | {difference:.1e} |")


if __name__ == "__main__":
    main()
