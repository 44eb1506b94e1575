"""Effect of a mixture prior instead of the training images' coefficients: distances and size.

Both pipelines draw from the same seeds. Distances are from all training images; the difference has the error of both.

Usage: python benchmarks/prior.py RESULTS EXPERIMENT… [--images N]
"""

import argparse
from pathlib import Path

import measuring  # noqa: F401 (one thread)
import numpy as np

from ihdm.config.stages import SamplingSettings
from ihdm.metrics.extractors import fit_extractor
from ihdm.models.network import read_origin
from ihdm.portable.evaluation import distance_table
from ihdm.portable.folder import assemble
from ihdm.portable.pictures import draw
from ihdm.storage.reading import open_images


def main() -> None:
    """Print a row for each experiment, prior and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("results", type=Path)
    parser.add_argument("experiments", nargs="+")
    parser.add_argument("--images", type=int, default=1000)
    arguments = parser.parse_args()
    print("| experiment | prior | kB | measure | value | standard error |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in arguments.experiments:
        origin = read_origin(arguments.results / f"models/{name}")
        train = np.asarray(open_images(origin.training_images()))
        sampling = SamplingSettings.model_validate({**origin.settings, "micro_batch": 100})
        extractor = fit_extractor("dct" if train[0].size < 200 else "pca", train)
        for prior in ("coefficients", "mixture"):
            pipeline = assemble(origin.folder, train, sampling, prior)
            size = sum(part.numel() * part.element_size() for part in pipeline.prior.state_dict().values())
            components = pipeline.prior.config.get("num_components", pipeline.prior.config.get("num_images"))
            samples = draw(pipeline, arguments.images, 0, batch_size=100)
            for row in distance_table(samples, train, extractor):
                if row["metric"] in ("frechet_distance", "kernel_distance", "recall"):
                    measure, value = f"{row['metric']} ({row['extractor']})", f"{row['value']:.4g}"
                    cells = (name, f"{prior} of {components}", f"{size / 1e3:.3g}", measure, value)
                    print(f"| {' | '.join(cells)} | {row['standard_error']:.2g} |", flush=True)


if __name__ == "__main__":
    main()
