"""What single stages are told: what their results depend on, so that nothing else makes these anew."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from ihdm.config.settings import (
    Count,
    HeatSettings,
    Levels,
    Name,
    NotNegative,
    Positive,
    PriorNoise,
    Rounding,
    Settings,
)


class SamplingSettings(Settings):
    """What a generated image depends on beside the trained network, the training images and its own numbers."""

    process: HeatSettings
    seed: int
    delta_ratio: NotNegative = 1.25
    prior_noise: PriorNoise = "delta"
    rounding: Rounding = "nearest"
    micro_batch: Count = 16
    num_train: Count | None = Field(default=None, description="training images that starts are drawn from, the first")


class ErrorSettings(Settings):
    """What the held-out squared errors depend on beside the trained network and the test images."""

    process: HeatSettings
    seed: int
    num_images: Count
    micro_batch: Count
    num_draws: Count = Field(default=1, description="draws of noise for each image and level")
    extra_draws: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="further draws a level on average, more where the noise matters more; needs num_draws ≥ 2",
    )

    @model_validator(mode="after")
    def _can_allocate(self) -> Self:
        if self.extra_draws and self.num_draws < 2:
            raise ValueError("extra_draws go where two draws differ most, so num_draws must be at least 2")
        return self


class LikelihoodSettings(Settings):
    """What the likelihood bound depends on beside the squared errors and the images."""

    process: HeatSettings
    prior_noise: PriorNoise
    delta_ratios: tuple[Positive, ...]
    num_train: Count | None = Field(default=None, description="training images the prior is made of, the first")

    @model_validator(mode="after")
    def _has_density(self) -> Self:
        if self.prior_noise == "none":
            raise ValueError(
                "prior_noise 'none' leaves the prior without a density, so there is no likelihood; "
                "take 'delta' or 'sigma'"
            )
        return self


class DistanceSettings(Settings):
    """What a distance between two sets of images depends on beside their features."""

    num_images: Annotated[tuple[Annotated[int, Field(ge=2)], ...], Field(min_length=1)] = Field(
        description="numbers n of images that are compared with the reference, each in every set alike"
    )
    num_resamples: Annotated[int, Field(ge=20)]
    num_neighbours: Count = Field(description="k of precision, recall, density and coverage")
    extrapolate: bool = Field(description="whether the Fréchet distance of infinitely many images is estimated too")
    seed: int


class MemorisationSettings(Settings):
    """What the distance to the nearest training image depends on beside the images."""

    num_images: Annotated[int, Field(ge=2)]
    num_train: Count | None = None


class SweptExperiment(Settings):
    """The parameters of an experiment that can be swept, the one that was, and the experiment that it varies."""

    base: Name
    swept: str | None
    is_departure: bool
    dataset: Name
    sigma: Positive
    num_levels: Count
    blur_sigma_max: Positive
    num_train: Count | None
    seed: int
    levels: Levels
    prior_noise: PriorNoise
    rounding: Rounding


class SweptExperiments(Settings):
    """All experiments by name."""

    experiments: dict[str, SweptExperiment]
