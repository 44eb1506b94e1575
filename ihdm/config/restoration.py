"""Settings of restoration: measurements of images, and studies that compare restoration methods."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from ihdm.config.processes import SAMPLERS, AnyProcess, ProcessSettings, SamplerSettings, default_sampler
from ihdm.config.settings import BatchSize, ComputeSettings, Count, Name, NumResamples, Seed, Settings
from ihdm.config.stages import HasSquares

LARGEST_RESTORED = 96
"""Largest image side in pixels for restoration; its matrices then take 0.7 GB each."""
MAX_STEPS = 250
"""Most steps of the default sampler of restoration, which inverts one matrix per step."""
KIND = "the measurement: blur, pooling, mask or noise"
MeasurementNoise = Annotated[float, Field(gt=0, le=10, description="σ_y, standard deviation of the measurement noise")]


class BlurProblem(Settings):
    """A Gaussian blur with mirrored borders, as in the heat process."""

    kind: Literal["blur"] = Field(description=KIND)
    width: Annotated[float, Field(gt=0, le=100_000)] = Field(description="σ_B, in pixels")
    noise: MeasurementNoise = 0.01


class PoolingProblem(Settings):
    """Means over squares of pixels; restoration is super-resolution."""

    kind: Literal["pooling"] = Field(description=KIND)
    factor: Annotated[int, Field(ge=2, le=64)] = Field(description="side of a square; must divide the image size")
    noise: MeasurementNoise = 0.01


class MaskProblem(Settings):
    """Hidden pixels: random ones, or a central square."""

    kind: Literal["mask"] = Field(description=KIND)
    hidden: Annotated[float, Field(gt=0, lt=1)] = Field(description="share of hidden pixels")
    shape: Literal["random", "hole"] = Field(
        default="random", description="random pixels, the same in all images, or a central square"
    )
    noise: MeasurementNoise = 0.01


class NoiseProblem(Settings):
    """White noise only."""

    kind: Literal["noise"] = Field(description=KIND)
    noise: MeasurementNoise = 0.1


AnyProblem = BlurProblem | PoolingProblem | MaskProblem | NoiseProblem
ProblemSettings = Annotated[AnyProblem, Field(discriminator="kind")]


def posterior_sampler(process: AnyProcess, evaluations: int) -> SamplerSettings:
    """Return the default sampler of restoration: that of the process, with the measured residual variance as noise.

    A heat process keeps nothing of the current state: on the quick run's digits, keeping it lowered PSNR by 0.4 to
    1.5 dB.
    """
    own = SAMPLERS[default_sampler(process)]
    return own.model_copy(update={"noise": "measured", "evaluations": evaluations})


class RestorationSettings(Settings):
    """A restoration study: the measurements, and numbers of images."""

    problems: Annotated[dict[Name, ProblemSettings], Field(min_length=1, max_length=20)] = Field(
        description="measurements by name"
    )
    sampler: Name | None = Field(
        default=None,
        description="sampler of the posterior, of which only levels and coupling apply; noise is the measured residual "
        "variance. By default that of the process",
    )
    num_images: Annotated[int, Field(ge=4, le=10**6)] = Field(default=64, description="test images that are scored")
    num_validation: Annotated[int, Field(ge=2, le=10**6)] = Field(
        default=16, description="further test images, on which every method is tuned"
    )
    num_draws: Annotated[int, Field(ge=2, le=1000)] = Field(default=4, description="posterior samples per measurement")


class RestorationStudy(HasSquares):
    """Settings that the results of a restoration study depend on."""

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
    num_moments: Count = Field(default=20_000, description="most training images for the power spectrum of Wiener")
    compute: ComputeSettings = ComputeSettings()


def problem_mistakes(problem: AnyProblem, image_size: int) -> Iterator[str]:
    """Yield inconsistencies between a measurement and an image size."""
    if isinstance(problem, PoolingProblem) and image_size % problem.factor:
        yield f"factor {problem.factor} does not divide {image_size} pixels"
    if isinstance(problem, MaskProblem) and not 0 < round(problem.hidden * image_size**2) < image_size**2:
        yield f"hidden {problem.hidden} hides none or all of {image_size}×{image_size} pixels"
