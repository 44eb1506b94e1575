"""The one description of what can be configured: validated before anything runs, and the source of the JSON schema.

A configuration file names data sets, network presets, experiments, sweeps and figures. An experiment is everything that
a trained network depends on; the sampling noise δ is not among them, it belongs to the evaluation.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ihdm.settings import (
    Count,
    DatasetSettings,
    DistanceSettings,
    ErrorSettings,
    EvaluationSettings,
    ExperimentSettings,
    Fraction,
    HeatSettings,
    LikelihoodSettings,
    MemorisationSettings,
    Name,
    RawDataSettings,
    RunSettings,
    SamplingSettings,
    Settings,
    SweepSettings,
    SweptExperiment,
    SweptExperiments,
    TrainingSettings,
)


class NetworkSettings(Settings):
    """A preset of the paper's U-Net (paper, appendix B)."""

    image_size: Count = Field(description="height and width of the images in pixels")
    image_channels: Literal[1, 3]
    base_channels: Count = Field(description="channels at full resolution, before the multiplier")
    channel_multipliers: Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        description="one factor on base_channels for each resolution, the largest resolution first"
    )
    blocks_per_level: Count = Field(description="residual blocks at each resolution")
    attention_levels: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        description="the resolutions with self-attention, counted from 0, the largest resolution"
    )
    dropout: Fraction
    norm_groups: Count = Field(default=32, description="groups of every group normalisation")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        halvings = len(self.channel_multipliers) - 1
        if self.image_size % 2**halvings:
            raise ValueError(
                f"image_size {self.image_size} cannot be halved {halvings} times, "
                f"as the {halvings + 1} channel_multipliers need; use a multiple of {2**halvings}"
            )
        for multiplier in self.channel_multipliers:
            if self.base_channels * multiplier % self.norm_groups:
                raise ValueError(
                    f"norm_groups {self.norm_groups} does not divide the width {self.base_channels * multiplier} "
                    "(base_channels times a channel multiplier)"
                )
        if any(level > halvings for level in self.attention_levels):
            raise ValueError(f"attention_levels must lie in 0…{halvings}, not {list(self.attention_levels)}")
        return self


class Experiment(Settings):
    """An experiment with its named parts filled in: what training needs to know, and nothing else."""

    dataset: DatasetSettings
    network: NetworkSettings
    process: HeatSettings
    training: TrainingSettings
    seed: int
    num_train: Count | None = None

    @model_validator(mode="after")
    def _has_levels_to_train(self) -> Self:
        if self.training.levels == "as_released" and self.process.num_levels == 1:
            raise ValueError("levels 'as_released' leaves level K out, so num_levels must be at least 2")
        return self


class Config(Settings):
    """One scale: a complete description of what is computed, from data to report."""

    results: str = Field(min_length=1, description="folder of everything this scale produces")
    data: RawDataSettings = RawDataSettings()
    datasets: dict[Name, DatasetSettings]
    networks: dict[Name, NetworkSettings]
    experiments: dict[Name, ExperimentSettings]
    sweeps: SweepSettings = SweepSettings()
    evaluation: EvaluationSettings
    figures: dict[Name, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        description="for each figure, the experiments it is drawn for"
    )

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        for name, experiment in self.experiments.items():
            where = f"experiments.{name}"
            _require(experiment.dataset, self.datasets, f"{where}.dataset")
            _require(experiment.network, self.networks, f"{where}.network")
            dataset, network = self.datasets[experiment.dataset], self.networks[experiment.network]
            for key in ("image_size", "image_channels"):
                if getattr(dataset, key) != getattr(network, key):
                    raise ValueError(
                        f"{where}: {key} is {getattr(dataset, key)} in data set '{experiment.dataset}' "
                        f"but {getattr(network, key)} in network '{experiment.network}'"
                    )
            _require(experiment.dataset, self.evaluation.extractors, "evaluation.extractors")
        _require_nameable((self.evaluation.delta_ratio,), "evaluation.delta_ratio")
        for name in self.evaluation.extractors:
            _require(name, self.datasets, "evaluation.extractors")
        for parameter in SweepSettings.model_fields:
            for name, values in getattr(self.sweeps, parameter).items():
                _require(name, self.experiments, f"sweeps.{parameter}")
                _require_nameable(values, f"sweeps.{parameter}.{name}")
        resolved = self.resolve_experiments()
        for figure, names in self.figures.items():
            for name in names:
                _require(name, resolved, f"figures.{figure}")
        return self

    def resolve_experiments(self) -> dict[str, Experiment]:
        """Return every experiment by name with its parts filled in, the swept ones included.

        A swept value gives the experiment ``NAME-PARAMETERVALUE``, e.g. ``digits-sigma0.02``; the value that the
        experiment has anyway adds nothing.
        """
        resolved = {}
        for name, settings in self.experiments.items():
            base = Experiment(
                dataset=self.datasets[settings.dataset],
                network=self.networks[settings.network],
                process=settings.process,
                training=settings.training,
                seed=settings.seed,
                num_train=settings.num_train,
            )
            resolved[name] = base
            for parameter in ("sigma", "num_levels", "blur_sigma_max", "num_train", "seed", "levels"):
                for value in getattr(self.sweeps, parameter).get(name, ()):
                    varied = _vary(base, parameter, value)
                    if varied != base:
                        resolved[_variant(name, parameter, value)] = varied
            for parameter in ("prior_noise", "rounding"):
                for value in getattr(self.sweeps, parameter).get(name, ()):
                    if value != getattr(self.evaluation, parameter):
                        resolved[_variant(name, parameter, value)] = base
        return resolved

    def model_of(self, experiment: str) -> str:
        """Return the experiment whose network this one samples: itself, or its base if only the evaluation differs."""
        base = experiment.split("-")[0]
        only_evaluation = experiment.startswith((f"{base}-prior_noise_", f"{base}-rounding_"))
        return base if only_evaluation else experiment

    def _evaluated(self, experiment: str, parameter: Literal["prior_noise", "rounding"]) -> str:
        """Return the value of a setting of the evaluation that can be swept."""
        base = experiment.split("-")[0]
        swept = {_variant(base, parameter, value): value for value in getattr(self.sweeps, parameter).get(base, ())}
        return str(swept.get(experiment, getattr(self.evaluation, parameter)))

    def sampling(self, experiment: str, delta_ratio: float | None = None) -> SamplingSettings:
        """Return what a generated image depends on; δ/σ is the evaluation's unless given."""
        resolved = self.resolve_experiments()[experiment]
        return SamplingSettings.model_validate(
            {
                "process": resolved.process,
                "seed": resolved.seed,
                "delta_ratio": self.evaluation.delta_ratio if delta_ratio is None else delta_ratio,
                "prior_noise": self._evaluated(experiment, "prior_noise"),
                "rounding": self._evaluated(experiment, "rounding"),
                "micro_batch": self.evaluation.micro_batch,
                "num_train": resolved.num_train,
            }
        )

    def errors(self, experiment: str) -> ErrorSettings:
        """Return what the held-out squared errors of an experiment depend on."""
        resolved = self.resolve_experiments()[experiment]
        return ErrorSettings(
            process=resolved.process,
            seed=resolved.seed,
            num_images=self.evaluation.num_likelihood_images,
            micro_batch=self.evaluation.micro_batch,
            num_draws=self.evaluation.likelihood_draws,
            extra_draws=self.evaluation.extra_draws,
        )

    @property
    def has_likelihood(self) -> bool:
        """Whether there is a likelihood: there is none without noise on the start, or if all sampling is at δ = 0."""
        return self.evaluation.prior_noise != "none" and all(
            max(self.delta_ratios(experiment)) > 0 for experiment in self.experiments
        )

    def likelihood(self, experiment: str) -> LikelihoodSettings:
        """Return what the likelihood bound of an experiment depends on; δ = 0 has none and is left out."""
        resolved = self.resolve_experiments()[experiment]
        return LikelihoodSettings.model_validate(
            {
                "process": resolved.process,
                "prior_noise": self.evaluation.prior_noise,
                "delta_ratios": tuple(ratio for ratio in self.delta_ratios(experiment) if ratio > 0),
                "seed": resolved.seed,
                "num_train": resolved.num_train,
            }
        )

    @property
    def inception_weights(self) -> str:
        """Return the folder where Inception's weights are, or are downloaded to."""
        return self.evaluation.inception_weights or f"{self.data.root}/inception"

    def resolve_datasets(self) -> dict[str, DatasetSettings]:
        """Return every data set by name, those included that serve as a reference alone."""
        squashed = {
            name: self.datasets[base].model_copy(update={"resize": "squash"})
            for base in self.datasets
            if (name := self.reference_of(base)) != base
        }
        return {**self.datasets, **squashed}

    def reference_of(self, dataset: str) -> str:
        """Return the data set whose training images distances are measured from: itself, or its pictures squashed."""
        as_released = self.evaluation.reference == "as_released"
        return f"{dataset}-squashed" if as_released and self.datasets[dataset].can_be_squashed else dataset

    @property
    def distance(self) -> DistanceSettings:
        """Return what distances depend on."""
        return DistanceSettings(
            num_images=self.evaluation.compared,
            num_resamples=self.evaluation.num_resamples,
            num_neighbours=self.evaluation.num_neighbours,
            extrapolate=self.evaluation.extrapolate,
            seed=0,
        )

    def memorisation(self, experiment: str) -> MemorisationSettings:
        """Return what the distance of an experiment's samples to the nearest training image depends on."""
        return MemorisationSettings(
            num_images=min(self.evaluation.num_samples, self.evaluation.num_likelihood_images),
            num_train=self.resolve_experiments()[experiment].num_train,
        )

    @property
    def has_departures(self) -> bool:
        """Whether a setting in which the released code departs from the description is swept."""
        return bool(self.sweeps.levels or self.sweeps.prior_noise or self.sweeps.rounding)

    @property
    def swept(self) -> SweptExperiments:
        """Return the parameters of every experiment, for one table of them all."""
        return SweptExperiments(
            experiments={
                name: SweptExperiment(
                    base=name.split("-")[0],
                    dataset=self.dataset_of(name),
                    sigma=resolved.process.sigma,
                    num_levels=resolved.process.num_levels,
                    blur_sigma_max=resolved.process.blur_sigma_max,
                    num_train=resolved.num_train,
                    seed=resolved.seed,
                )
                for name, resolved in self.resolve_experiments().items()
            }
        )

    def run(self, experiment: str) -> RunSettings:
        """Return how the training of an experiment runs, swept or not."""
        return self.experiments[experiment.split("-")[0]].run

    def dataset_of(self, experiment: str) -> str:
        """Return the name of the data set of an experiment, swept or not."""
        return self.experiments[experiment.split("-")[0]].dataset

    def delta_ratios(self, experiment: str) -> list[float]:
        """Return the ratios δ/σ at which an experiment is sampled, ascending; a swept experiment takes its base's.

        One that differs in how levels are drawn, starts made or images rounded is sampled at the evaluation's alone.
        """
        base, _, variation = experiment.partition("-")
        is_departure = variation.startswith(("levels_", "prior_noise_", "rounding_"))
        swept = () if is_departure else self.sweeps.delta_ratio.get(base, ())
        return sorted({float(ratio) for ratio in (*swept, self.evaluation.delta_ratio)})


def _require(name: str, known: Mapping[str, Any], where: str) -> None:
    if name not in known:
        raise ValueError(f"{where}: '{name}' is not defined; known are {', '.join(sorted(known)) or 'none'}")


def _require_nameable(values: tuple[float | str, ...], where: str) -> None:
    for value in values:
        if not isinstance(value, str) and float(format_number(value)) != value:
            raise ValueError(f"{where}: {value!r} has more than ten decimals; paths are named after it, so round it")
    repeated = [value for value, count in Counter(values).items() if count > 1]
    if repeated:
        shown = repeated[0] if isinstance(repeated[0], str) else format_number(repeated[0])
        raise ValueError(f"{where}: {shown} is listed twice")


def _vary(base: Experiment, parameter: str, value: float | str) -> Experiment:
    """Return the experiment with one parameter changed, validated again."""
    fields = base.model_dump()
    place = {"seed": fields, "num_train": fields, "levels": fields["training"]}
    place.get(parameter, fields["process"])[parameter] = value
    return Experiment.model_validate(fields)


def _variant(name: str, parameter: str, value: float | str) -> str:
    return f"{name}-{parameter}_{value}" if isinstance(value, str) else f"{name}-{parameter}{format_number(value)}"


def format_number(value: float) -> str:
    """Return the one spelling of a number used in paths and names: 0.01, never 0.010 or 1e-2."""
    return f"{value:.10f}".rstrip("0").rstrip(".")
