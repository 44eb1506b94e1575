"""What single stages are told: what their results depend on, so that nothing else makes these anew."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from ihdm.config.predictions import OwnPrediction
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
"""Samples on the sheet beside an exported network."""


class SamplingSettings(Settings, HasPrediction):
    """What a generated image depends on beside the trained network, the training images and its own numbers."""

    process: ProcessSettings
    prediction: OwnPrediction = None
    sampler: SamplerSettings = Field(
        default_factory=lambda given: SAMPLERS[default_sampler(given["process"])],
        description="by default the paper's for heat, and ancestral for others",
    )
    seed: Seed
    delta_ratio: DeltaRatio = 1.25
    prior_noise: PriorNoise = "delta"
    rounding: Rounding = "nearest"
    micro_batch: BatchSize = 16
    num_train: Count | None = Field(default=None, description="training images that starts are drawn from, the first")
    compute: ComputeSettings = ComputeSettings()

    @property
    def is_calibrated(self) -> bool:
        """Whether the sampler needs the network's calibration."""
        return self.sampler.is_calibrated(self.process, self.prediction)


class ErrorSettings(Settings, HasPrediction):
    """What the held-out squared errors depend on beside the trained network and the test images."""

    process: ProcessSettings
    prediction: OwnPrediction = None
    seed: Seed
    num_images: Count
    micro_batch: BatchSize
    num_draws: Count = Field(default=1, description="draws of noise for each image and level")
    max_levels: Count | None = Field(default=None, description="most levels that are evaluated; by default all")
    extra_draws: NumExtraDraws = Field(
        default=0,
        description="further draws a level on average, more where the noise matters more; needs num_draws ≥ 2",
    )
    compute: ComputeSettings = ComputeSettings()

    @property
    def observed(self) -> tuple[int, ...]:
        """The levels that are evaluated, ascending."""
        return observed_levels(self.process, self.max_levels)

    def _mistakes(self) -> Iterator[str]:
        if self.extra_draws and self.num_draws < 2:
            yield "extra_draws go where two draws differ most, so num_draws must be at least 2"


class LikelihoodSettings(Settings):
    """What the likelihood bound depends on beside the squared errors and the images."""

    process: HeatSettings
    prior_noise: PriorNoise
    delta_ratios: tuple[Positive, ...]
    num_train: Count | None = Field(default=None, description="training images the prior is made of, the first")

    def _mistakes(self) -> Iterator[str]:
        if self.prior_noise == "none":
            yield (
                "prior_noise 'none' leaves the prior without a density, so there is no likelihood; "
                "take 'delta' or 'sigma'"
            )


class CalibrationSettings(Settings):
    """What is measured of a network depends on, beside its weights and the training images."""

    process: ProcessSettings
    seed: Seed
    levels: tuple[Count, ...] = Field(description="where the network is measured, ascending")
    num_images: Annotated[int, Field(ge=10)] = Field(description="training images it is measured on, the first")
    micro_batch: BatchSize
    compute: ComputeSettings = ComputeSettings()


class JointSettings(Settings, HasPrediction):
    """What the bounds by several joints depend on, beside the network, what was measured of it, and the images."""

    process: ProcessSettings
    prediction: OwnPrediction = None
    seed: Seed
    levels: tuple[Count, ...] = Field(description="levels of the joint, ascending, K the last")
    num_images: Annotated[int, Field(ge=2)] = Field(description="test images")
    micro_batch: BatchSize
    num_draws: Count = Field(default=1, description="draws of noise for each image and level")
    delta_ratios: tuple[Positive, ...] = Field(description="δ/σ of the transitions with one variance")
    bandwidth_ratio: Positive = Field(description="of the prior, to σ, of the others")
    num_train: Count | None = Field(default=None, description="training images the prior is made of, the first")
    compute: ComputeSettings = ComputeSettings()


class DistanceSettings(Settings):
    """What a distance between two sets of images depends on beside their features."""

    num_images: Annotated[tuple[AtLeastThree, ...], Field(min_length=1)] = Field(
        description="numbers n of images that are compared with the reference, each in every set alike"
    )
    num_resamples: NumResamples
    num_neighbors: Count = Field(description="k of precision, recall, density and coverage")
    extrapolate: bool = Field(description="whether the Fréchet distance of infinitely many images is estimated too")
    seed: Seed


class NfeSettings(Settings):
    """What the study of quality against network evaluations depends on, beside the network and the images."""

    samplers: dict[str, SamplerSettings] = Field(description="by name")
    counts: tuple[Count, ...] = Field(description="network evaluations for an image")
    delta_ratios: tuple[Positive, ...] = Field(description="δ/σ that a sampler with δ is tried at beside the default")
    sampling: SamplingSettings = Field(description="process, seed, starts and the δ/σ that is the default")
    distance: DistanceSettings
    num_samples: Annotated[int, Field(ge=2)]


class SamplingDiagnosticsSettings(Settings):
    """What a look into how a network makes images depends on, beside the network and the training images."""

    sampling: SamplingSettings
    diagnostics: DiagnosticsSettings
