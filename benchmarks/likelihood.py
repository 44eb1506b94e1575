"""L_K in the coefficients that survive the blur, against blurring by FFT per test batch and distances in pixels.

Both get 10 000 training images and 256 test images of 3×32×32 (`--train`, `--test` change that), σ_B,max = 24. The
plain way blurs all training images anew for each batch of 128 test images, as the released code does.

Usage: pip install torch-dct==0.1.6; python benchmarks/likelihood.py
"""

import argparse
import math
import time

import measuring  # noqa: F401 (sets one thread)
import numpy as np
import torch
from torch import Tensor
from torch_dct import dct_2d, idct_2d

from ihdm.heat import HeatProcess, blur_schedule, decay
from ihdm.likelihood import prior_kl_bounds

SIGMA, DELTA = 0.01, 0.0125
BATCH = 128


def plain_bound(train: Tensor, test: Tensor, heat: HeatProcess) -> Tensor:
    """Return L_K with an FFT blur of everything for each test batch, and `cdist` between pixels."""
    line = torch.as_tensor(decay(heat.height, heat.blur_sigmas[-1:])[0], dtype=torch.float32)
    factors = line[:, None] * line
    num_dims = test[0].numel()
    constant = num_dims * ((SIGMA / DELTA) ** 2 - 1 + 2 * math.log(DELTA / SIGMA)) / 2
    found = []
    for batch in test.split(BATCH):
        blurred = idct_2d(dct_2d(batch, norm="ortho") * factors, norm="ortho").flatten(1)
        centres = idct_2d(dct_2d(train, norm="ortho") * factors, norm="ortho").flatten(1)
        distances = torch.cdist(blurred, centres, compute_mode="donot_use_mm_for_euclid_dist").double()
        found.append(-torch.logsumexp(-(constant + distances.square() / (2 * DELTA**2)), dim=1))
    return math.log(len(train)) + torch.cat(found)


def main() -> None:
    """Print the seconds of both ways, their ratio, and the largest relative difference of the results."""
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
    start = time.perf_counter()
    expected = plain_bound(train, test, heat)
    plain_seconds = time.perf_counter() - start
    times = []
    for _ in range(5):
        start = time.perf_counter()
        found = prior_kl_bounds([train], test, heat, SIGMA, [DELTA])[0]
        times.append(time.perf_counter() - start)
    ours = sorted(times)[2]
    difference = ((found - expected).abs() / expected.abs()).max()
    print(
        "| images | FFT blur per batch, cdist in pixels | surviving coefficients | times faster | largest difference |"
    )
    print("|---|---|---|---|---|")
    print(
        f"| {counts.train} × {counts.test} of 3×32×32 | {plain_seconds:.2f} s | {ours * 1000:.0f} ms "
        f"| {plain_seconds / ours:.0f} | {difference:.1e} relative |"
    )


if __name__ == "__main__":
    main()
