"""Where samplers with measured noise lose power: the network's estimates on its own samples and on real images.

At each level of the Markov sampler with measured noise: power of the states, relative to noisy training images, and of
the estimates of the clean image, relative to training images, on samples and on noisy training images.

Usage: python benchmarks/over_smoothing.py RESULTS EXPERIMENT [--evaluations N] [--images N]
"""

import argparse
from pathlib import Path

import measuring  # noqa: F401 (one thread)
import numpy as np
import torch

from ihdm.calibration import Calibration
from ihdm.config.processes import SamplerSettings
from ihdm.config.stages import SamplingSettings
from ihdm.heat import Images
from ihdm.metrics.spectrum import band_power
from ihdm.models.network import load_network, read_origin
from ihdm.predictions import prediction_of
from ihdm.processes.process import Process
from ihdm.samples.generation import Chain
from ihdm.storage.reading import open_images

BANDS = ("low", "middle", "high", "highest")


def power(process: Process, images: Images) -> np.ndarray:
    """Return the mean power in each band, of images in the range of the process."""
    return band_power(process.from_range(images).permute(0, 2, 3, 1).double().numpy()).mean(axis=0)


def main() -> None:
    """Print one row per level."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("experiment")
    parser.add_argument("--evaluations", type=int, default=12)
    parser.add_argument("--images", type=int, default=200)
    arguments = parser.parse_args()
    origin = read_origin(arguments.results / f"models/{arguments.experiment}")
    train, count = open_images(origin.training_images()), arguments.images
    sampler = SamplerSettings(coupling="markov", noise="measured", evaluations=arguments.evaluations)
    sampling = SamplingSettings.model_validate({**origin.settings, "micro_batch": 50}).model_copy(
        update={"sampler": sampler}
    )
    network = load_network(origin.folder, sampling.process, train, "cpu", sampling.compute)
    calibration = Calibration.read(origin.folder / "calibration.npz", sampling.process, train.shape[1])
    chain = Chain.of(network, train, sampling, calibration)
    process, prediction = chain.process, prediction_of(network, chain.process)

    chosen = train[np.linspace(0, len(train) - 1, count).astype(int)].transpose(0, 3, 1, 2)
    real = torch.as_tensor(chosen / 255, dtype=torch.float32)
    clean = power(process, process.to_range(real))
    numbers = list(range(count))
    noise = chain.noise(numbers)
    print("| level | states | estimates, samples | estimates, training images |\n| --- | --- | --- | --- |")
    for taken in chain.take_steps(chain.starts(numbers)[0], noise):
        noisy = process.draw(real, torch.full((count,), taken.level), noise[taken.level - 1])
        with torch.no_grad():
            estimate = prediction.estimate(network, noisy, taken.level)
        shares = (
            power(process, taken.state) / power(process, noisy),
            power(process, taken.estimate) / clean,
            power(process, estimate) / clean,
        )
        cells = (" ".join(f"{value:.2f}" for value in share) for share in shares)
        print(f"| {taken.level} | {' | '.join(cells)} |", flush=True)
    print(f"\nIn each cell, from left to right, the bands {', '.join(BANDS)}.")


if __name__ == "__main__":
    main()
