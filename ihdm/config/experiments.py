"""Experiments: what a trained network depends on, and the variants of each, in which one swept value differs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from ihdm.config.predictions import OwnPrediction
from ihdm.config.processes import HasPrediction, ProcessSettings, SamplerSettings, default_sampler
from ihdm.config.settings import (
    Count,
    DatasetSettings,
    EvaluationSettings,
    Fraction,
    ImageSize,
    Name,
    PriorNoise,
    Rounding,
    RunSettings,
    Seed,
    Settings,
    SweepSettings,
    TrainingSettings,
)

Parameter = Literal[
    "sigma", "num_levels", "blur_sigma_max", "num_train", "seed", "levels", "prior_noise", "rounding", "sampler"
]
"""What can be swept beside δ/σ."""

NUMBERS = ("sigma", "num_levels", "blur_sigma_max", "num_train", "seed")
"""Those of them that are numbers, over which curves can be drawn."""

SAMPLED_ONLY = ("prior_noise", "rounding", "sampler")
"""Those that train nothing."""

AS_RELEASED = {"levels": "as_released", "prior_noise": "none", "rounding": "truncate"}
"""The swept values by which the released code departs from the description; see `ihdm.config.settings`."""


class NetworkSettings(Settings):
    """A preset of the paper's U-Net (paper, appendix B)."""

    image_size: ImageSize = Field(description="height and width of the images in pixels")
    image_channels: Literal[1, 3] = Field(description="1 for gray, 3 for color")
    base_channels: Annotated[int, Field(ge=1, le=4096)] = Field(
        description="channels at full resolution, before the multiplier"
    )
    channel_multipliers: tuple[Annotated[int, Field(ge=1, le=64)], ...] = Field(
        min_length=1,
        max_length=13,
        description="one factor on base_channels for each resolution, the largest resolution first",
    )
    blocks_per_stage: Annotated[int, Field(ge=1, le=64)] = Field(description="residual blocks at each resolution")
    attention_stages: tuple[Annotated[int, Field(ge=0, le=12)], ...] = Field(
        max_length=13, description="the resolutions with self-attention, counted from 0, the largest resolution"
    )
    dropout: Fraction = Field(description="share of values that each residual block drops in training")
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
            yield f"attention_stages must lie in 0…{halvings}, not {list(self.attention_stages)}"


Measure = Literal["likelihood", "disentanglement"]


class ExperimentSettings(Settings):
    """What a trained network depends on, its parts by name, and how its training runs."""

    dataset: Name = Field(description="one of datasets")
    network: Name = Field(description="one of networks, for images of the same size and channels")
    process: ProcessSettings
    prediction: OwnPrediction = None
    training: TrainingSettings
    sampler: Name | None = Field(
        default=None,
        description="how it is sampled: paper, ancestral, ddim or one of samplers; by default the paper's for heat and "
        "ancestral for others. Trains nothing",
    )
    seed: Seed = Field(default=0, description="of all that training draws")
    num_train: Count | None = Field(
        default=None, description="number of training images seen, the first of the split; by default all of them"
    )
    initial_weights: Name | None = Field(
        default=None,
        description="the experiment, with an equal network, whose trained weights training starts from; random ones if "
        "none is named",
    )
    measures: tuple[Measure, ...] = Field(
        default=get_args(Measure),
        description="what is measured of it and its variants beside distances, spectra and memorisation: likelihood, "
        "with the loss at each level, and disentanglement",
    )
    run: RunSettings = RunSettings()
    title: Annotated[str, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="display title in figures and on the report page; by default composed of the settings"
    )


class Experiment(Settings, HasPrediction):
    """An experiment with its named parts filled in: what training needs to know, and nothing else."""

    dataset: DatasetSettings
    network: NetworkSettings
    process: ProcessSettings
    prediction: OwnPrediction = None
    training: TrainingSettings
    seed: Seed
    num_train: Count | None = None

    def _mistakes(self) -> Iterator[str]:
        if self.training.levels == "as_released" and self.process.num_levels == 1:
            yield "levels 'as_released' leaves level K out, so num_levels must be at least 2"
        if self.predicted.kind == "noise" and self.process.loses_modes:
            yield (
                f"the blur of process '{self.process.kind}' leaves nothing of some frequencies, which prediction "
                "'noise' cannot restore; take 'residual' or 'whitened'"
            )


@dataclass(frozen=True)
class Variant:
    """An experiment as it is trained, sampled and measured: as configured, or with one swept value.

    Attributes:
        name: that of the experiment, or ``NAME-PARAMETERVALUE``, e.g. ``digits-sigma0.02``.
        base: name of the experiment.
        swept: the parameter that differs; None for the experiment itself.
        dataset: name of its data set.
        experiment: what its network depends on.
        prior_noise: bandwidth of the starts.
        rounding: how its images become 8-bit.
        sampler: name of its sampler.
        sampling: what that is.
        delta_ratios: the δ/σ it is sampled at, ascending; 0 alone if its sampler has no δ.
        delta_ratio: the one of them that it is sampled at where none is swept.
        measures: what is measured of it beside distances, spectra and memorisation.
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
        """The variant whose network it samples: itself, or the experiment if only the sampling differs."""
        return self.base if self.swept in SAMPLED_ONLY else self.name

    @property
    def is_trained(self) -> bool:
        """Whether it has a network of its own."""
        return self.model == self.name

    @property
    def is_departure(self) -> bool:
        """Whether it does what the released code does and the description does not."""
        values = {"levels": self.experiment.training.levels, "prior_noise": self.prior_noise, "rounding": self.rounding}
        return self.swept in AS_RELEASED and values[self.swept] == AS_RELEASED[self.swept]

    @property
    def has_levels(self) -> bool:
        """Whether its network is evaluated at every level, and bounded by every joint."""
        return self.is_trained and "likelihood" in self.measures

    @property
    def has_disentanglement(self) -> bool:
        """Whether starts are crossed with noises: once for each network."""
        return self.is_trained and "disentanglement" in self.measures

    @property
    def has_likelihood(self) -> bool:
        """Whether it has the paper's bound: starts without noise and δ = 0 have none, and rounding changes none."""
        has_own = self.experiment.has_paper_bound and self.swept not in ("rounding", "sampler")
        return "likelihood" in self.measures and has_own and self.prior_noise != "none" and self.delta_ratios[-1] > 0

    @property
    def is_calibrated(self) -> bool:
        """Whether its sampler needs what was measured of its network."""
        return self.sampling.is_calibrated(self.experiment.process, self.experiment.prediction)

    @property
    def has_curve(self) -> bool:
        """Whether its curves over δ/σ can have a minimum: that needs three values."""
        return len(self.delta_ratios) > 2

    @property
    def has_likelihood_curve(self) -> bool:
        """Whether its bound can be followed between two δ/σ."""
        return self.has_likelihood and sum(ratio > 0 for ratio in self.delta_ratios) > 1


def resolve_variants(
    name: str,
    experiment: Experiment,
    dataset: str,
    sampler: Name | None,
    samplers: Mapping[str, SamplerSettings],
    sweeps: SweepSettings,
    evaluation: EvaluationSettings,
    measures: tuple[Measure, ...],
) -> Iterator[Variant]:
    """Yield an experiment and its variants; the value that it has anyway adds none.

    A variant is sampled at every δ/σ of the experiment. One that differs in how levels are drawn, starts are made or
    images are rounded is sampled at the evaluation's δ/σ alone.
    """
    ratios = {float(ratio) for ratio in (*sweeps.delta_ratio.get(name, ()), evaluation.delta_ratio)}
    sampler = sampler or default_sampler(experiment.process)
    own = Variant(
        name=name,
        base=name,
        swept=None,
        dataset=dataset,
        experiment=experiment,
        prior_noise=evaluation.prior_noise,
        rounding=evaluation.rounding,
        sampler=sampler,
        sampling=samplers[sampler],
        delta_ratios=tuple(sorted(ratios)),
        delta_ratio=float(evaluation.delta_ratio),
        measures=measures,
    )
    own = _with_sampler(own, sampler, samplers[sampler])
    yield own
    for parameter in get_args(Parameter):
        for value in getattr(sweeps, parameter).get(name, ()):
            if parameter == "sampler":
                varied = _with_sampler(own, str(value), samplers[str(value)])
            else:
                varied = _vary(own, parameter, value)
            if varied != own:
                text = f"_{value}" if isinstance(value, str) else format_number(value)
                alone = parameter in AS_RELEASED or parameter in SAMPLED_ONLY
                own_ratios = (varied.delta_ratio,) if alone else own.delta_ratios
                yield replace(varied, name=f"{name}-{parameter}{text}", swept=parameter, delta_ratios=own_ratios)


def _with_sampler(variant: Variant, name: str, sampling: SamplerSettings) -> Variant:
    """Return the same with another sampler; one without δ is sampled once, as if at δ = 0."""
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
    """Return the one spelling of a number used in paths and names: 0.01, never 0.010 or 1e-2."""
    return f"{value:.10f}".rstrip("0").rstrip(".")
