"""The one description of what can be configured: validated before anything runs, and the source of the JSON schema.

A configuration file names data sets, network presets, experiments, sweeps and figures. An experiment is everything that
a trained network depends on; the sampling noise δ is not among them, it belongs to the evaluation.
"""

import pkgutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ihdm.config.consistency import config_mistakes
from ihdm.config.experiments import Experiment, ExperimentSettings, NetworkSettings, Variant, resolve_variants
from ihdm.config.folders import OwnFolder
from ihdm.config.processes import SAMPLERS, SamplerSettings, StudySettings, observed_levels
from ihdm.config.restoration import MOST_STEPS, RestorationSettings, posterior_sampler
from ihdm.config.settings import (
    DatasetSettings,
    EvaluationSettings,
    Name,
    RawDataSettings,
    RunSettings,
    Settings,
    SweepSettings,
)
from ihdm.config.stages import (
    CalibrationSettings,
    SamplingDiagnosticsSettings,
    SamplingSettings,
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
    gpus: Literal["required", "optional"] = Field(
        default="required",
        description="whether jobs that ask for a GPU refuse a machine that has none, or compute on its CPU",
    )
    data: RawDataSettings = RawDataSettings()
    datasets: dict[Name, DatasetSettings] = Field(
        description="data sets by name, each images of one size from one source"
    )
    networks: dict[Name, NetworkSettings] = Field(description="presets of the paper's U-Net by name")
    experiments: dict[Name, ExperimentSettings] = Field(
        min_length=1, description="experiments by name, each a network that is trained, sampled and measured"
    )
    samplers: dict[Name, SamplerSettings] = Field(
        default_factory=dict, description="samplers by name, beside paper, ancestral and ddim"
    )
    sweeps: SweepSettings = SweepSettings()
    evaluation: EvaluationSettings
    studies: dict[Name, StudySettings] = Field(
        default_factory=dict,
        description="for each experiment named, the study of how good samples are after how many network evaluations",
    )
    restoration: dict[Name, RestorationSettings] = Field(
        default_factory=dict,
        description="for each experiment named, the study of restoration: measurements of test images, undone by its "
        "network and otherwise",
    )
    diagnostics: tuple[str, ...] = Field(
        default=(),
        max_length=1000,
        description="experiments, or variants of them, of which it is looked into how they make images",
    )
    portable: tuple[str, ...] = Field(
        default=(),
        max_length=1000,
        description="experiments, or variants of them with a network of their own, that are written as folders which "
        "diffusers loads",
    )
    figures: dict[Name, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        description="for each figure, the experiments it is drawn for"
    )

    def _mistakes(self) -> Iterator[str]:
        return config_mistakes(self, FIGURES)

    @property
    def all_samplers(self) -> dict[str, SamplerSettings]:
        """Every sampler by name."""
        return {**SAMPLERS, **self.samplers}

    @cached_property
    def variants(self) -> dict[str, Variant]:
        """Every experiment and its variants, by name."""
        return {variant.name: variant for name in self.experiments for variant in self.variants_of(name, self.sweeps)}

    def variants_of(self, name: str, sweeps: SweepSettings) -> Iterator[Variant]:
        """Yield an experiment and its variants.

        Args:
            name: of the experiment.
            sweeps: what is swept.

        Raises:
            ValidationError: if a swept value does not fit the rest of the experiment.
        """
        settings = self.experiments[name]
        return resolve_variants(
            name,
            Experiment(
                dataset=self.datasets[settings.dataset],
                network=self.networks[settings.network],
                process=settings.process,
                prediction=settings.prediction,
                training=settings.training,
                seed=settings.seed,
                num_train=settings.num_train,
            ),
            settings.dataset,
            settings.sampler,
            self.all_samplers,
            sweeps,
            self.evaluation,
            settings.measures,
        )

    def needed_images(self, dataset: str) -> dict[str, int]:
        """Return how many images of each split of a data set are asked for, where a number is."""
        numbers = [
            variant.experiment.num_train
            for variant in self.variants.values()
            if variant.dataset == dataset and variant.experiment.num_train
        ]
        is_used = any(experiment.dataset == dataset for experiment in self.experiments.values())
        tested = [self.evaluation.likelihood_images(dataset) if is_used else 0]
        for name, study in self.restoration.items():
            if name in self.experiments and self.experiments[name].dataset == dataset:
                tested.append(study.num_images + study.num_validation)
        return {"train": max(numbers, default=0), "test": max(tested)}

    @property
    def inception_weights(self) -> str:
        """The folder where Inception's weights are, or are downloaded to."""
        return self.evaluation.inception_weights or f"{self.data.root}/inception"

    def sampling(self, name: str, delta_ratio: float | None = None) -> SamplingSettings:
        """Return what a generated image of a variant depends on; δ/σ is the variant's own unless given."""
        variant = self.variants[name]
        return SamplingSettings(
            process=variant.experiment.process,
            prediction=variant.experiment.prediction,
            sampler=variant.sampling,
            seed=variant.experiment.seed,
            delta_ratio=variant.delta_ratio if delta_ratio is None else delta_ratio,
            prior_noise=variant.prior_noise,
            rounding=variant.rounding,
            micro_batch=self.evaluation.micro_batch_of(variant.dataset),
            compute=self.evaluation.compute,
            num_train=variant.experiment.num_train,
        )

    def calibration(self, name: str) -> CalibrationSettings:
        """Return what is measured of a variant's own network: wherever a bound or a sampler needs it."""
        variant, experiment = self.variants[name], self.variants[name].experiment
        levels = {*observed_levels(experiment.process, self.evaluation.max_levels)}
        samplers = [variant.sampling for variant in self.variants.values() if variant.model == name]
        if name in self.studies:
            samplers += self.studies[name].resolve(self.all_samplers)
        if name in self.restoration:
            levels |= {*self.restoration_sampler(name).levels(experiment.process)}
        for sampler in samplers:
            if sampler.is_calibrated(experiment.process, experiment.prediction):
                levels |= {*sampler.levels(experiment.process)}
        return CalibrationSettings(
            process=experiment.process,
            seed=experiment.seed,
            levels=tuple(sorted(levels - {0})),
            num_images=self.evaluation.num_calibration_images,
            micro_batch=self.evaluation.micro_batch_of(variant.dataset),
            compute=self.evaluation.compute,
        )

    def restoration_sampler(self, name: str) -> SamplerSettings:
        """Return what restoration samples a posterior by: by default at the levels that networks are evaluated at."""
        chosen = self.restoration[name].sampler
        if chosen is not None:
            return self.all_samplers[chosen]
        most = min(self.evaluation.max_levels or MOST_STEPS, MOST_STEPS)
        process = self.variants[name].experiment.process
        return posterior_sampler(process, min(most, process.num_levels))

    def sampling_diagnostics(self, name: str) -> SamplingDiagnosticsSettings:
        """Return what a look into how a variant makes images depends on."""
        return SamplingDiagnosticsSettings(sampling=self.sampling(name), diagnostics=self.evaluation.diagnostics)

    def initial_weights(self, name: str) -> str | None:
        """Return the experiment whose trained weights a variant starts from; None for random ones."""
        return self.experiments[self.variants[name].base].initial_weights

    def run(self, name: str) -> RunSettings:
        """Return how the training of a variant runs."""
        return self.experiments[self.variants[name].base].run
