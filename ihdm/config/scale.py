"""The one description of what can be configured: validated before anything runs, and the source of the JSON schema.

A configuration file names data sets, network presets, experiments, sweeps and figures. An experiment is everything that
a trained network depends on; the sampling noise δ is not among them, it belongs to the evaluation.
"""

import pkgutil
from collections import Counter
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from ihdm.config.experiments import (
    NUMBERS,
    Experiment,
    ExperimentSettings,
    NetworkSettings,
    Variant,
    format_number,
    resolve_variants,
)
from ihdm.config.folders import OwnFolder
from ihdm.config.processes import SAMPLERS, EvaluationsSettings, SamplerSettings, observed_levels
from ihdm.config.settings import (
    DatasetSettings,
    EvaluationSettings,
    HeatSettings,
    Name,
    RawDataSettings,
    RunSettings,
    Settings,
    SweepSettings,
)
from ihdm.config.stages import (
    CalibrationSettings,
    DistanceSettings,
    ErrorSettings,
    JointSettings,
    LikelihoodSettings,
    MemorisationSettings,
    SamplingSettings,
    StudySettings,
    SweptExperiment,
    SweptExperiments,
)

FIGURES = tuple(
    module.name
    for module in pkgutil.iter_modules([str(Path(__file__).parents[1] / "figures")])
    if module.name != "style"
)
"""The figures that can be drawn: each is a module."""


class Config(Settings):
    """One scale: a complete description of what is computed, from data to report."""

    results: OwnFolder = Field(description="folder of everything this scale produces")
    data: RawDataSettings = RawDataSettings()
    datasets: dict[Name, DatasetSettings]
    networks: dict[Name, NetworkSettings]
    experiments: dict[Name, ExperimentSettings] = Field(min_length=1)
    samplers: dict[Name, SamplerSettings] = Field(
        default_factory=dict, description="samplers by name, beside paper, ancestral and ddim"
    )
    sweeps: SweepSettings = SweepSettings()
    evaluation: EvaluationSettings
    studies: dict[Name, EvaluationsSettings] = Field(
        default_factory=dict,
        description="for each experiment named, the study of how good samples are after how many network evaluations",
    )
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
            for place, sampler in self._samplers_of(name):
                _require(sampler, self.all_samplers, place)
                if self.all_samplers[sampler].uses_delta and not experiment.process.has_delta:
                    raise ValueError(
                        f"{place}: sampler '{sampler}' adds noise δ, which process '{experiment.process.kind}' has "
                        "not; take one with noise posterior, measured or none"
                    )
            self._require_initial_weights(name)
        for name in self.studies:
            _require(name, self.experiments, "studies")
        for name in self.samplers.keys() & SAMPLERS.keys():
            raise ValueError(f"samplers.{name}: this name is given to a sampler that is always there; take another")
        _require_nameable((self.evaluation.delta_ratio,), "evaluation.delta_ratio")
        for name in self.evaluation.extractors:
            _require(name, self.datasets, "evaluation.extractors")
        for parameter in SweepSettings.model_fields:
            for name, values in getattr(self.sweeps, parameter).items():
                _require(name, self.experiments, f"sweeps.{parameter}")
                _require_nameable(values, f"sweeps.{parameter}.{name}")
        for figure, names in self.figures.items():
            _require(figure, FIGURES, "figures")
            for name in names:
                _require(name, self.variants, f"figures.{figure}")
                swept = [variant for variant in self.variants.values() if variant.base == name]
                if figure == "sweep_curves" and not any(variant.swept in NUMBERS for variant in swept):
                    raise ValueError(
                        f"figures.sweep_curves: nothing of '{name}' is swept; add a list under sweeps, or leave it out"
                    )
        return self

    def _require_initial_weights(self, name: str) -> None:
        chain = [name]
        while source := self.experiments[chain[-1]].initial_weights:
            where = f"experiments.{chain[-1]}.initial_weights"
            _require(source, self.experiments, where)
            if source in chain:
                raise ValueError(f"{where}: goes round in a circle, {' from '.join([*chain, source])}")
            networks = [self.networks[self.experiments[one].network] for one in (chain[-1], source)]
            for key in NetworkSettings.model_fields:
                ours, theirs = (getattr(network, key) for network in networks)
                if ours != theirs:
                    raise ValueError(f"{where}: its network must be equal, but {key} is {theirs} there and {ours} here")
            chain.append(source)

    def _samplers_of(self, name: str) -> list[tuple[str, str]]:
        """Return the samplers that are named for an experiment, each with the place where it is."""
        named = [(f"experiments.{name}.sampler", sampler) for sampler in [self.experiments[name].sampler] if sampler]
        if name in self.studies:
            named += [(f"studies.{name}.samplers", sampler) for sampler in self.studies[name].samplers]
        return named + [(f"sweeps.sampler.{name}", sampler) for sampler in self.sweeps.sampler.get(name, ())]

    @property
    def all_samplers(self) -> dict[str, SamplerSettings]:
        """Every sampler by name."""
        return {**SAMPLERS, **self.samplers}

    @cached_property
    def variants(self) -> dict[str, Variant]:
        """Every experiment and its variants, by name."""
        return {
            variant.name: variant
            for name, settings in self.experiments.items()
            for variant in resolve_variants(
                name,
                Experiment(
                    dataset=self.datasets[settings.dataset],
                    network=self.networks[settings.network],
                    process=settings.process,
                    training=settings.training,
                    seed=settings.seed,
                    num_train=settings.num_train,
                ),
                settings.dataset,
                settings.sampler,
                self.all_samplers,
                self.sweeps,
                self.evaluation,
            )
        }

    def needed_images(self, dataset: str) -> dict[str, int]:
        """Return how many images of each split of a data set are asked for, where a number is."""
        numbers = [
            variant.experiment.num_train
            for variant in self.variants.values()
            if variant.dataset == dataset and variant.experiment.num_train
        ]
        return {"train": max(numbers, default=0), "test": self.evaluation.num_likelihood_images}

    @property
    def inception_weights(self) -> str:
        """The folder where Inception's weights are, or are downloaded to."""
        return self.evaluation.inception_weights or f"{self.data.root}/inception"

    def sampling(self, name: str, delta_ratio: float | None = None) -> SamplingSettings:
        """Return what a generated image of a variant depends on; δ/σ is the variant's own unless given."""
        variant = self.variants[name]
        return SamplingSettings(
            process=variant.experiment.process,
            sampler=variant.sampling,
            seed=variant.experiment.seed,
            delta_ratio=variant.delta_ratio if delta_ratio is None else delta_ratio,
            prior_noise=variant.prior_noise,
            rounding=variant.rounding,
            micro_batch=self.evaluation.micro_batch,
            num_train=variant.experiment.num_train,
        )

    def errors(self, name: str) -> ErrorSettings:
        """Return what the held-out squared errors of a variant's network depend on."""
        experiment = self.variants[name].experiment
        return ErrorSettings(
            process=experiment.process,
            seed=experiment.seed,
            num_images=self.evaluation.num_likelihood_images,
            micro_batch=self.evaluation.micro_batch,
            num_draws=self.evaluation.likelihood_draws,
            max_levels=self.evaluation.max_levels,
            extra_draws=self.evaluation.extra_draws,
        )

    def calibration(self, name: str) -> CalibrationSettings:
        """Return what is measured of a variant's own network: wherever a bound or a sampler needs it."""
        experiment = self.variants[name].experiment
        levels = {*observed_levels(experiment.process, self.evaluation.max_levels)}
        samplers = [variant.sampling for variant in self.variants.values() if variant.model == name]
        if name in self.studies:
            samplers += self.studies[name].resolve(self.all_samplers)
        for sampler in samplers:
            if sampler.is_calibrated(experiment.process):
                levels |= {*sampler.levels(experiment.process.num_levels)}
        return CalibrationSettings(
            process=experiment.process,
            seed=experiment.seed,
            levels=tuple(sorted(levels - {0})),
            num_images=self.evaluation.num_calibration_images,
            micro_batch=self.evaluation.micro_batch,
        )

    def joints(self, name: str) -> JointSettings:
        """Return what the bounds of a variant's own network by several joints depend on."""
        variant = self.variants[name]
        process = variant.experiment.process
        ratios = tuple(ratio for ratio in variant.delta_ratios if ratio > 0) if process.has_delta else ()
        return JointSettings(
            process=process,
            seed=variant.experiment.seed,
            levels=observed_levels(process, self.evaluation.max_levels),
            num_images=self.evaluation.num_likelihood_images,
            micro_batch=self.evaluation.micro_batch,
            num_draws=self.evaluation.likelihood_draws,
            delta_ratios=ratios or (1.0,),
            bandwidth_ratio=self.evaluation.delta_ratio or 1.0,
            num_train=variant.experiment.num_train,
        )

    def study(self, name: str) -> StudySettings:
        """Return what the study of quality against network evaluations depends on, of a variant's own network."""
        variant, study = self.variants[name], self.studies[name]
        return StudySettings(
            samplers=dict(zip(study.samplers, (self.all_samplers[sampler] for sampler in study.samplers), strict=True)),
            counts=study.counts,
            delta_ratios=tuple(ratio for ratio in variant.delta_ratios if ratio > 0),
            sampling=self.sampling(name, self.evaluation.delta_ratio),
            distance=self.distance,
            num_samples=self.evaluation.compared[-1],
        )

    def likelihood(self, name: str) -> LikelihoodSettings:
        """Return what the likelihood bound of a variant depends on; δ = 0 has none and is left out."""
        variant = self.variants[name]
        process = variant.experiment.process
        if not isinstance(process, HeatSettings):
            raise TypeError(f"{name}: only inverse heat dissipation has the bound with one δ")
        return LikelihoodSettings(
            process=process,
            prior_noise=variant.prior_noise,
            delta_ratios=tuple(ratio for ratio in variant.delta_ratios if ratio > 0),
            num_train=variant.experiment.num_train,
        )

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

    def memorisation(self, name: str) -> MemorisationSettings:
        """Return what the distance of a variant's samples to the nearest training image depends on."""
        return MemorisationSettings(
            num_images=min(self.evaluation.num_samples, self.evaluation.num_likelihood_images),
            num_train=self.variants[name].experiment.num_train,
        )

    @property
    def swept(self) -> SweptExperiments:
        """Return the parameters of every variant, for one table of them all."""
        return SweptExperiments(
            experiments={
                name: SweptExperiment(
                    base=variant.base,
                    swept=variant.swept,
                    is_departure=variant.is_departure,
                    dataset=variant.dataset,
                    sampler=variant.sampler,
                    sigma=getattr(variant.experiment.process, "sigma", None),
                    num_levels=variant.experiment.process.num_levels,
                    blur_sigma_max=getattr(variant.experiment.process, "blur_sigma_max", None),
                    num_train=variant.experiment.num_train,
                    seed=variant.experiment.seed,
                    levels=variant.experiment.training.levels,
                    prior_noise=variant.prior_noise,
                    rounding=variant.rounding,
                )
                for name, variant in self.variants.items()
            }
        )

    def initial_weights(self, name: str) -> str | None:
        """Return the experiment whose trained weights a variant starts from; None for random ones."""
        return self.experiments[self.variants[name].base].initial_weights

    def run(self, name: str) -> RunSettings:
        """Return how the training of a variant runs."""
        return self.experiments[self.variants[name].base].run


def _require(name: str, known: Collection[str], where: str) -> None:
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
