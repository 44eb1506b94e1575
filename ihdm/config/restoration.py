"""What can be asked of restoration: how pictures were measured, and how closely methods are compared."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from ihdm.config.processes import SAMPLERS, AnyProcess, ProcessSettings, SamplerSettings, default_sampler
from ihdm.config.settings import BatchSize, ComputeSettings, Count, Name, NumResamples, Seed, Settings

LARGEST_RESTORED = 96
"""Side of images in pixels up to which restoration makes matrices: there, one takes 0.7 GB."""

MeasurementNoise = Annotated[float, Field(gt=0, le=10)]


class BlurProblem(Settings):
    """A Gaussian blur with mirrored borders, as heat has it."""

    kind: Literal["blur"] = Field(description="what was done to the picture: blur, pooling, mask or noise")
    width: Annotated[float, Field(gt=0, le=100_000)] = Field(description="σ_B, in pixels")
    noise: MeasurementNoise = Field(default=0.01, description="σ_y, standard deviation of the measurement's noise")


class PoolingProblem(Settings):
    """Means of squares of pixels: what is to be undone is super-resolution."""

    kind: Literal["pooling"] = Field(description="what was done to the picture: blur, pooling, mask or noise")
    factor: Annotated[int, Field(ge=2, le=64)] = Field(description="side of a square, which divides that of the image")
    noise: MeasurementNoise = Field(default=0.01, description="σ_y, standard deviation of the measurement's noise")


class MaskProblem(Settings):
    """Some pixels are hidden: at random, or a square in the middle."""

    kind: Literal["mask"] = Field(description="what was done to the picture: blur, pooling, mask or noise")
    hidden: Annotated[float, Field(gt=0, lt=1)] = Field(description="share of the pixels that is hidden")
    shape: Literal["random", "hole"] = Field(
        default="random", description="pixels at random, the same in all images, or a square in the middle"
    )
    noise: MeasurementNoise = Field(default=0.01, description="σ_y, standard deviation of the measurement's noise")


class NoiseProblem(Settings):
    """White noise and nothing else."""

    kind: Literal["noise"] = Field(description="what was done to the picture: blur, pooling, mask or noise")
    noise: MeasurementNoise = Field(default=0.1, description="σ_y, standard deviation of the measurement's noise")


AnyProblem = BlurProblem | PoolingProblem | MaskProblem | NoiseProblem
ProblemSettings = Annotated[AnyProblem, Field(discriminator="kind")]


def posterior_sampler(process: AnyProcess, evaluations: int) -> SamplerSettings:
    """Return what restoration samples by unless told otherwise: as the process itself, with noise as it was measured.

    Heat keeps nothing of a state, others part of it. On the quick run's digits, heat restored worse by 0.4 to 1.5 dB
    when it did.
    """
    own = SAMPLERS[default_sampler(process)]
    return own.model_copy(update={"noise": "measured", "evaluations": evaluations})


MOST_STEPS = 250
"""By which restoration samples unless told otherwise; each has a matrix of its own to be inverted."""


class RestorationSettings(Settings):
    """A study of restoration: which measurements of test images are undone, and how many of them."""

    problems: Annotated[dict[Name, ProblemSettings], Field(min_length=1, max_length=20)] = Field(
        description="by name, what was done to the pictures"
    )
    sampler: Name | None = Field(
        default=None,
        description="what samples of the posterior are drawn by, of which the levels and the coupling count alone, as "
        "noise is what was measured; by default the process's own",
    )
    num_images: Annotated[int, Field(ge=4, le=10**6)] = Field(default=64, description="test images that are scored")
    num_validation: Annotated[int, Field(ge=2, le=10**6)] = Field(
        default=16, description="test images after these, on which every method is tuned"
    )
    num_draws: Annotated[int, Field(ge=2, le=1000)] = Field(
        default=4, description="samples of the posterior for each measurement"
    )


class RestorationStudy(Settings):
    """What a study depends on, beside the network, what was measured of it, and the images."""

    process: ProcessSettings
    problems: dict[Name, ProblemSettings]
    sampler: SamplerSettings
    seed: Seed
    num_images: Count
    num_validation: Count
    num_draws: Count
    num_resamples: NumResamples
    micro_batch: BatchSize
    num_train: Count | None = None
    num_moments: Count = Field(default=20_000, description="training images that Wiener's power comes from, at most")
    compute: ComputeSettings = ComputeSettings()


def problem_mistakes(problem: AnyProblem, image_size: int) -> Iterator[str]:
    """Yield what does not fit images of a size."""
    if isinstance(problem, PoolingProblem) and image_size % problem.factor:
        yield f"factor {problem.factor} does not divide {image_size} pixels"
    if isinstance(problem, MaskProblem) and not 0 < round(problem.hidden * image_size**2) < image_size**2:
        yield f"hidden {problem.hidden} hides none or all of {image_size}×{image_size} pixels"
