"""Blur of a batch, each image at its own level: this package against transform pairs of other libraries.

Usage: pip install -e '.[benchmark]'; python benchmarks/blur.py
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from measuring import median_seconds
from scipy.fft import dctn, idctn
from torch import Tensor
from torch_dct import dct_2d, idct_2d

from ihdm.heat import HeatProcess, blur_schedule, decay

CASES = (
    # batch, size, σ_B,max and K of the paper's CIFAR-10 and AFHQ 256 models
    (128, 32, 24.0, 200),
    (16, 256, 128.0, 200),
)
ROUNDS = 15


def torch_blur(images: Tensor, factors: Tensor) -> Tensor:
    """Blur through torch-dct's transform, made of torch's FFT, and back."""
    return idct_2d(dct_2d(images, norm="ortho") * factors, norm="ortho")


def scipy_blur(images: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Blur through SciPy's transform and back."""
    return idctn(dctn(images, axes=(-2, -1), norm="ortho") * factors, axes=(-2, -1), norm="ortho")


def main() -> None:
    """Print one row for each size, and the largest difference between the results."""
    print("| images | ihdm | torch-dct pair | SciPy DCT pair | torch-dct / ihdm | SciPy / ihdm | largest difference |")
    print("|---|---|---|---|---|---|---|")
    for batch, size, sigma_max, num_levels in CASES:
        rng = np.random.default_rng(0)
        images = torch.as_tensor(rng.random((batch, 3, size, size), dtype=np.float32))
        levels = torch.as_tensor(rng.integers(1, num_levels, size=batch, endpoint=True))
        sigmas = blur_schedule(0.5, sigma_max, num_levels)
        heat = HeatProcess(sigmas, size, size)
        line = decay(size, sigmas)[levels.numpy()]
        factors = (line[:, None, :, None] * line[:, None, None, :]).astype(np.float32)
        functions: dict[str, Callable[[], Any]] = {
            "ihdm": partial(heat.blur, images, levels),
            "torch": partial(torch_blur, images, torch.as_tensor(factors)),
            "scipy": partial(scipy_blur, images.numpy(), factors),
        }
        results = [torch.as_tensor(function()) for function in functions.values()]
        difference = max(float((results[0] - result).abs().max()) for result in results[1:])
        times = median_seconds(functions, ROUNDS)
        cells = [f"{1000 * times[name]:.1f} ms" for name in functions]
        cells += [f"{times[name] / times['ihdm']:.1f}" for name in ("torch", "scipy")]
        print(f"| {batch}×3×{size}×{size} | {' | '.join(cells)} | {difference:.1e} |")


if __name__ == "__main__":
    main()
