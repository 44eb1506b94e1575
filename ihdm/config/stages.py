"""Settings passed to each stage. A stage receives only what it uses, so unrelated changes do not trigger a rerun."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from ihdm.config.processes import (
    SAMPLERS,
    HasPrediction,
    HeatSettings,
    ProcessSettings,
    SamplerSettings,
    default_sampler,
    observed_levels,
)
from ihdm.config.settings import (
    AtLeastThree,
    AtLeastTwo,
    BatchSize,
    ComputeSettings,
    Count,
    DeltaRatio,
    DiagnosticsSettings,
    NumExtraDraws,
    NumResamples,
    Positive,
    PriorNoise,
    Rounding,
    Seed,
    Settings,
)

NUM_SHOWN = 64
"""Samples on the sheet of an exported pipeline."""


class NetworkStage(Settings):
    """Shared by stages that evaluate a trained network."""

    process: ProcessSettings
    seed: Seed
    micro_batch: BatchSize
    compute: ComputeSettings = ComputeSettings()


class HasSquares(Settings):
    """Shared by stages whose errors are over photographs, if images are squares of them."""

    squares: Count = Field(default=1, description="images cut from each photograph; 1: images are independent")


class HasPrior(Settings):
    """Shared by stages that start from training images."""

    num_train: Count | None = Field(default=None, description="number of these training images, the first of the split")


class SamplingSettings(HasPrior, NetworkStage, HasPrediction):
    """Everything that a generated image depends on, except the network, the training images and the image's number."""

    sampler: SamplerSettings = Field(
        default_factory=lambda given: SAMPLERS[default_sampler(given["process"])],
        description="by default the paper's for heat, and ancestral for others",
    )
    delta_ratio: DeltaRatio = 1.25
    prior_noise: PriorNoise = "delta"
    rounding: Rounding = "nearest"
    micro_batch: BatchSize = 16

    @property
    def is_calibrated(self) -> bool:
        """Whether the sampler needs the network's calibration."""
        return self.sampler.is_calibrated(self.process, self.prediction)

    def _mistakes(self) -> Iterator[str]:
        if mistake := self.sampler.mistake_with(self.process, self.prediction):
            yield f"the sampler {mistake}"


class ErrorSettings(HasSquares, NetworkStage, HasPrediction):
    """Settings of the held-out squared errors."""

    num_images: Count
    num_draws: Count = Field(default=1, description="noise draws per image and level")
    max_levels: Count | None = Field(default=None, description="most levels that are evaluated; by default all")
    extra_draws: NumExtraDraws = Field(
        default=0,
        description="extra draws per level on average, more where the noise matters more; needs num_draws ≥ 2",
    )

    @property
    def observed(self) -> tuple[int, ...]:
        """The levels that are evaluated, ascending."""
        return observed_levels(self.process, self.max_levels)

    def _mistakes(self) -> Iterator[str]:
        if self.extra_draws and self.num_draws < 2:
            yield "extra_draws need num_draws of 2 or more, to measure the variance of draws"


class LikelihoodSettings(HasPrior):
    """Settings of the paper's likelihood bound, given the squared errors."""

    process: HeatSettings
    prior_noise: PriorNoise
    delta_ratios: tuple[Positive, ...]

    def _mistakes(self) -> Iterator[str]:
        if self.prior_noise == "none":
            yield "prior_noise 'none' gives a prior without a density, and so no likelihood; use 'delta' or 'sigma'"


class CalibrationSettings(NetworkStage):
    """Settings of a network's calibration."""

    levels: tuple[Count, ...] = Field(description="levels at which the network is calibrated, ascending")
    num_images: Annotated[int, Field(ge=10)] = Field(description="number of training images, the first of the split")


class JointSettings(HasSquares, HasPrior, NetworkStage, HasPrediction):
    """Settings of the likelihood bounds of several joints."""

    levels: tuple[Count, ...] = Field(description="levels of the joint, ascending, K the last")
    num_images: AtLeastTwo = Field(description="test images")
    num_draws: Count = Field(default=1, description="noise draws per image and level")
    delta_ratios: tuple[Positive, ...] = Field(description="δ/σ of transitions with one variance")
    bandwidth_ratio: Positive = Field(description="bandwidth of the prior of the other transitions, relative to σ")


class DistanceSettings(Settings):
    """Settings of distances between two sets of features."""

    num_images: Annotated[tuple[AtLeastThree, ...], Field(min_length=1)] = Field(
        description="sample sizes n, the same for every set that is compared with the reference"
    )
    num_resamples: NumResamples
    num_neighbors: Count = Field(description="k of precision, recall, density and coverage")
    extrapolate: bool = Field(description="whether to estimate the Fréchet distance of infinitely many images")
    seed: Seed


class NfeSettings(Settings):
    """Settings of the study of sample quality against the number of function evaluations (NFE)."""

    samplers: dict[str, SamplerSettings] = Field(description="samplers by name")
    counts: tuple[Count, ...] = Field(description="NFE per image")
    delta_ratios: tuple[Positive, ...] = Field(description="δ/σ of samplers with δ, in addition to the default")
    sampling: SamplingSettings = Field(description="process, seed, starts and the default δ/σ")
    distance: DistanceSettings
    num_samples: AtLeastTwo

    def _mistakes(self) -> Iterator[str]:
        for name, sampler in self.samplers.items():
            if mistake := sampler.mistake_with(self.sampling.process, self.sampling.prediction):
                yield f"samplers.{name} {mistake}"


class SamplingDiagnosticsSettings(Settings):
    """Settings of the sampling diagnostics of a network."""

    sampling: SamplingSettings
    diagnostics: DiagnosticsSettings
