"""Experiments, their variants with one swept value, and network presets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from ihdm.config.processes import HasPrediction, OwnPrediction, ProcessSettings, SamplerSettings
from ihdm.config.settings import (
    BlurWidth,
    Count,
    DatasetSettings,
    DeltaRatio,
    Fraction,
    ImageSize,
    Levels,
    Name,
    NoiseWidth,
    NumLevels,
    PriorNoise,
    Rounding,
    RunSettings,
    Seed,
    Settings,
    Swept,
    TrainingSettings,
)

Parameter = Literal[
    "sigma", "num_levels", "blur_sigma_max", "num_train", "seed", "levels", "prior_noise", "rounding", "sampler"
]
"""Parameters that can be swept, except δ/σ."""

NUMBERS = ("sigma", "num_levels", "blur_sigma_max", "num_train", "seed")
"""Swept parameters with numeric values."""

SAMPLED_ONLY = ("prior_noise", "rounding", "sampler")
"""Swept parameters that need no training."""

AS_RELEASED = {"levels": "as_released", "prior_noise": "none", "rounding": "truncate"}
"""Swept values that differ between the released code and the paper; see docs/reproduce.md."""


class NetworkSettings(Settings):
    """A preset of the paper's U-Net (paper, appendix B)."""

    image_size: ImageSize = Field(description="height and width of the images in pixels")
    image_channels: Literal[1, 3] = Field(description="1 for gray, 3 for color")
    base_channels: Annotated[int, Field(ge=1, le=4096)] = Field(
        description="channels at full resolution, before the multiplier"
    )
    channel_multipliers: tuple[Annotated[int, Field(ge=1, le=64)], ...] = Field(
        min_length=1, max_length=13, description="factor on base_channels per resolution, the largest resolution first"
    )
    blocks_per_stage: Annotated[int, Field(ge=1, le=64)] = Field(description="residual blocks at each resolution")
    attention_stages: tuple[Annotated[int, Field(ge=0, le=12)], ...] = Field(
        max_length=13, description="resolutions with self-attention; 0 is the largest resolution"
    )
    dropout: Fraction = Field(description="dropout rate of residual blocks in training")
    norm_groups: Count = Field(default=32, description="groups of every group normalization")

    @property
    def widths(self) -> list[int]:
        """Channels at each resolution, the largest resolution first."""
        return [self.base_channels * multiplier for multiplier in self.channel_multipliers]

    def _mistakes(self) -> Iterator[str]:
        halvings = len(self.channel_multipliers) - 1
        if self.image_size % 2**halvings:
            yield (
                f"image_size {self.image_size} cannot be halved {halvings} times, "
                f"as the {halvings + 1} channel_multipliers need; use a multiple of {2**halvings}"
            )
        for width in self.widths:
            if width % self.norm_groups:
                yield (
                    f"norm_groups {self.norm_groups} does not divide the width {width} "
                    "(base_channels times a channel multiplier)"
                )
        if any(level > halvings for level in self.attention_stages):
            yield f"attention_stages must be in 0…{halvings}, not {list(self.attention_stages)}"


Measure = Literal["likelihood", "disentanglement"]


class ExperimentSettings(Settings):
    """A network to train, its data, and how it is trained, sampled and measured."""

    dataset: Name = Field(description="name of a data set")
    network: Name = Field(description="name of a network preset for images of the same size and channels")
    process: ProcessSettings
    prediction: OwnPrediction = None
    training: TrainingSettings
    sampler: Name | None = Field(
        default=None,
        description="paper, ancestral, ddim or a custom sampler; by default paper for heat and ancestral for others. A "
        "change triggers no retraining",
    )
    seed: Seed = Field(default=0, description="seed of training")
    num_train: Count | None = Field(
        default=None, description="number of training images, the first of the split; by default all"
    )
    initial_weights: Name | None = Field(
        default=None,
        description="experiment with the same network whose trained weights initialize training; by default random "
        "weights",
    )
    measures: tuple[Measure, ...] = Field(
        default=get_args(Measure),
        description="measures in addition to distances, spectra and memorization: likelihood, with the loss at each "
        "level, and disentanglement",
    )
    run: RunSettings = RunSettings()
    title: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="display title in figures and on the report page; by default composed of the settings"
    )


class Experiment(HasPrediction):
    """Everything that a trained network depends on."""

    dataset: DatasetSettings
    network: NetworkSettings
    training: TrainingSettings
    seed: Seed
    num_train: Count | None = None

    def _mistakes(self) -> Iterator[str]:
        if self.training.levels == "as_released" and self.process.num_levels == 1:
            yield "levels 'as_released' skips level K, so num_levels must be at least 2"
        if self.predicted.kind == "noise" and self.process.loses_modes:
            yield (
                f"the blur of process '{self.process.kind}' erases some frequencies, which prediction 'noise' cannot "
                "restore; use 'residual' or 'whitened'"
            )


class SweepSettings(Settings):
    """Additional values of a parameter, per experiment. Values that change training train one network each."""

    delta_ratio: Swept[DeltaRatio] = Field(default={}, description="sampling noise δ/σ; no training")
    sigma: Swept[NoiseWidth] = Field(default={}, description="training noise σ")
    num_levels: Swept[NumLevels] = Field(default={}, description="number of levels K")
    blur_sigma_max: Swept[BlurWidth] = Field(default={}, description="largest blur width")
    num_train: Swept[Count] = Field(default={}, description="number of training images, the first of the split")
    seed: Swept[Seed] = Field(default={}, description="training seed")
    levels: Swept[Levels] = Field(default={}, description="how training draws levels")
    prior_noise: Swept[PriorNoise] = Field(default={}, description="bandwidth of the starts; no training")
    rounding: Swept[Rounding] = Field(default={}, description="how generated images become 8-bit; no training")
    sampler: Swept[Name] = Field(default={}, description="samplers by name; no training")


@dataclass(frozen=True)
class Variant:
    """An experiment, or the experiment with one swept value.

    Attributes:
        name: name of the experiment, or ``NAME-PARAMETERVALUE``, e.g. ``digits-sigma0.02``.
        base: name of the experiment.
        swept: the swept parameter; None for the experiment itself.
        dataset: name of the data set.
        experiment: everything its network depends on.
        prior_noise: bandwidth of the starts.
        rounding: how its images become 8-bit.
        sampler: name of the sampler.
        sampling: settings of the sampler.
        delta_ratios: the sampled δ/σ, ascending; only 0 if the sampler has no δ.
        delta_ratio: the default among them.
        measures: measures in addition to distances, spectra and memorization.
    """

    name: str
    base: str
    swept: Parameter | None
    dataset: str
    experiment: Experiment
    prior_noise: PriorNoise
    rounding: Rounding
    sampler: Name
    sampling: SamplerSettings
    delta_ratios: tuple[float, ...]
    delta_ratio: float
    measures: tuple[Measure, ...]

    @property
    def model(self) -> str:
        """Name of the variant that trains its network: itself, or the experiment if only the sampling differs."""
        return self.base if self.swept in SAMPLED_ONLY else self.name

    @property
    def is_trained(self) -> bool:
        """Whether it trains a network."""
        return self.model == self.name

    @property
    def has_statistics(self) -> bool:
        """Whether statistics of the training images are stored next to its network."""
        return self.experiment.predicted.has_statistics

    @property
    def is_departure(self) -> bool:
        """Whether it follows the released code where the code differs from the paper."""
        values = {"levels": self.experiment.training.levels, "prior_noise": self.prior_noise, "rounding": self.rounding}
        return self.swept in AS_RELEASED and values[self.swept] == AS_RELEASED[self.swept]

    @property
    def has_levels(self) -> bool:
        """Whether its network is evaluated at every level, with the likelihood bounds of all joints."""
        return self.is_trained and "likelihood" in self.measures

    @property
    def has_disentanglement(self) -> bool:
        """Whether it samples the grid of starts × noises: once per network."""
        return self.is_trained and "disentanglement" in self.measures

    @property
    def has_likelihood(self) -> bool:
        """Whether it has the paper's bound: not without noise in the starts, nor at δ = 0, nor again for a rounding."""
        has_own = self.experiment.has_paper_bound and self.swept not in ("rounding", "sampler")
        return "likelihood" in self.measures and has_own and self.prior_noise != "none" and self.delta_ratios[-1] > 0

    @property
    def is_calibrated(self) -> bool:
        """Whether its sampler needs the network's calibration."""
        return self.sampling.is_calibrated(self.experiment.process, self.experiment.prediction)

    @property
    def has_curve(self) -> bool:
        """Whether its curves over δ/σ can have a minimum, which needs three values."""
        return len(self.delta_ratios) > 2

    @property
    def has_likelihood_curve(self) -> bool:
        """Whether its bound is known at two δ/σ or more."""
        return self.has_likelihood and sum(ratio > 0 for ratio in self.delta_ratios) > 1


def resolve_variants(own: Variant, samplers: Mapping[str, SamplerSettings], sweeps: SweepSettings) -> Iterator[Variant]:
    """Yield an experiment and its variants, except those that equal it.

    A variant is sampled at every δ/σ of the experiment. One with another way to draw levels, starts or 8-bit values is
    sampled only at the default δ/σ.
    """
    own = _with_sampler(own, own.sampler, samplers[own.sampler])
    yield own
    for parameter in get_args(Parameter):
        for value in getattr(sweeps, parameter).get(own.name, ()):
            if parameter == "sampler":
                varied = _with_sampler(own, str(value), samplers[str(value)])
            else:
                varied = _vary(own, parameter, value)
            if varied != own:
                text = f"_{value}" if isinstance(value, str) else format_number(value)
                alone = parameter in AS_RELEASED or parameter in SAMPLED_ONLY
                own_ratios = (varied.delta_ratio,) if alone else own.delta_ratios
                yield replace(varied, name=f"{own.name}-{parameter}{text}", swept=parameter, delta_ratios=own_ratios)


def _with_sampler(variant: Variant, name: str, sampling: SamplerSettings) -> Variant:
    """Return the same with another sampler; without δ it is sampled once, as δ = 0."""
    if sampling.uses_delta:
        return replace(variant, sampler=name, sampling=sampling)
    return replace(variant, sampler=name, sampling=sampling, delta_ratios=(0.0,), delta_ratio=0.0)


def _vary(variant: Variant, parameter: Parameter, value: float | str) -> Variant:
    """Return the same with one parameter changed, validated again."""
    if parameter in ("prior_noise", "rounding"):
        changed: dict[str, Any] = {parameter: value}
        return replace(variant, **changed)
    fields = variant.experiment.model_dump()
    place = {"seed": fields, "num_train": fields, "levels": fields["training"]}
    place.get(parameter, fields["process"])[parameter] = value
    return replace(variant, experiment=Experiment.model_validate(fields))


def format_number(value: float) -> str:
    """Return a number as it is spelled in paths and names: 0.01, never 0.010 or 1e-2."""
    return f"{value:.10f}".rstrip("0").rstrip(".")
