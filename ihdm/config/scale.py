"""The schema of a configuration file, which is validated before anything runs.

It defines data sets, network presets, experiments, sweeps and figures. An experiment is everything that a trained
network depends on; the sampling noise δ belongs to the evaluation.
"""

import pkgutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ihdm.config.consistency import config_mistakes
from ihdm.config.experiments import (
    Experiment,
    ExperimentSettings,
    NetworkSettings,
    SweepSettings,
    Variant,
    resolve_variants,
)
from ihdm.config.processes import SAMPLERS, SamplerSettings, default_sampler, observed_levels, with_evaluations
from ihdm.config.restoration import MAX_STEPS, RestorationSettings, posterior_sampler
from ihdm.config.settings import (
    Count,
    DatasetSettings,
    EvaluationSettings,
    Folder,
    Name,
    OutputFolder,
    RunSettings,
    Settings,
    VariantName,
)
from ihdm.config.stages import CalibrationSettings, SamplingDiagnosticsSettings, SamplingSettings

FIGURES = tuple(
    module.name
    for module in pkgutil.iter_modules([str(Path(__file__).parents[1] / "figures")])
    if module.name != "style"
)
"""Names of all figures, one module each."""


class RawDataSettings(Settings):
    """Location of raw files. Moving them triggers no rerun."""

    root: Folder = Field(
        default="data", description="folder of raw files by source: downloads, and archives that you add"
    )


class StudySettings(Settings):
    """Study of sample quality against the number of function evaluations (NFE)."""

    samplers: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)] = Field(
        description="samplers by name; samplers with δ run at every δ/σ of the experiment"
    )
    counts: Annotated[tuple[Count, ...], Field(min_length=1, max_length=100)] = Field(
        description="NFE per image, for every sampler"
    )


class Config(Settings):
    """A scale: the complete configuration of a run, from data to report."""

    results: OutputFolder = Field(description="output folder of the scale")
    gpus: Literal["required", "optional"] = Field(
        default="required", description="whether GPU jobs fail on a machine without GPU, or run on its CPU"
    )
    data: RawDataSettings = RawDataSettings()
    datasets: dict[Name, DatasetSettings] = Field(description="data sets by name")
    networks: dict[Name, NetworkSettings] = Field(description="U-Net presets by name")
    experiments: dict[Name, ExperimentSettings] = Field(
        min_length=1, description="experiments by name: networks that are trained, sampled and measured"
    )
    samplers: dict[Name, SamplerSettings] = Field(
        default={}, description="custom samplers by name, in addition to paper, ancestral and ddim"
    )
    sweeps: SweepSettings = SweepSettings()
    evaluation: EvaluationSettings
    studies: dict[VariantName, StudySettings] = Field(
        default={},
        description="studies of sample quality against the number of function evaluations, per experiment or variant "
        "with its own training",
    )
    restoration: dict[Name, RestorationSettings] = Field(
        default={},
        description="restoration studies per experiment: test images restored from measurements, by its network and by "
        "baselines",
    )
    diagnostics: tuple[str, ...] = Field(
        default=(), max_length=1000, description="experiments or variants with sampling diagnostics"
    )
    portable: tuple[str, ...] = Field(
        default=(),
        max_length=1000,
        description="experiments, or variants with their own training, to write as exported pipelines, which diffusers "
        "loads",
    )
    figures: dict[Name, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        description="experiments of each figure"
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
        """Yield an experiment and its variants with these sweeps.

        Raises:
            ValidationError: if a swept value does not fit the rest of the experiment.
        """
        settings, evaluation = self.experiments[name], self.evaluation
        experiment = Experiment(
            dataset=self.datasets[settings.dataset],
            network=self.networks[settings.network],
            process=settings.process,
            prediction=settings.prediction,
            training=settings.training,
            seed=settings.seed,
            num_train=settings.num_train,
        )
        sampler = settings.sampler or default_sampler(settings.process)
        ratios = {float(ratio) for ratio in (*sweeps.delta_ratio.get(name, ()), evaluation.delta_ratio)}
        own = Variant(
            name=name,
            base=name,
            swept=None,
            dataset=settings.dataset,
            experiment=experiment,
            prior_noise=evaluation.prior_noise,
            rounding=evaluation.rounding,
            sampler=sampler,
            sampling=self.all_samplers[sampler],
            delta_ratios=tuple(sorted(ratios)),
            delta_ratio=float(evaluation.delta_ratio),
            measures=settings.measures,
        )
        return resolve_variants(own, self.all_samplers, sweeps)

    def needed_images(self, dataset: str) -> dict[str, int]:
        """Return the number of images that each split of a data set must have."""
        variants = [variant for variant in self.variants.values() if variant.dataset == dataset]
        used = {variant.base for variant in variants}
        restored = [study for name, study in self.restoration.items() if name in used]
        tested = [study.num_images + study.num_validation for study in restored]
        if used:
            tested.append(self.evaluation.likelihood_images(dataset))
        trained = [variant.experiment.num_train or 0 for variant in variants]
        return {"train": max(trained, default=0), "test": max(tested, default=0)}

    @property
    def inception_weights(self) -> str:
        """The folder of Inception's weights, downloaded if missing."""
        return self.evaluation.inception_weights or f"{self.data.root}/inception"

    def sampling(self, name: str, delta_ratio: float | None = None) -> SamplingSettings:
        """Return the sampling settings of a variant; δ/σ defaults to that of the variant."""
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
        """Return the calibration settings of a network, at all levels that a bound or a sampler needs."""
        variant, experiment = self.variants[name], self.variants[name].experiment
        levels = {*observed_levels(experiment.process, self.evaluation.max_levels)}
        samplers = [variant.sampling for variant in self.variants.values() if variant.model == name]
        if study := self.studies.get(name):
            studied = (self.all_samplers[sampler] for sampler in study.samplers)
            samplers += [with_evaluations(sampler, count) for sampler in studied for count in study.counts]
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
        """Return the sampler of a restoration study; the default uses at most as many levels as the evaluation."""
        chosen = self.restoration[name].sampler
        if chosen is not None:
            return self.all_samplers[chosen]
        most = min(self.evaluation.max_levels or MAX_STEPS, MAX_STEPS)
        process = self.variants[name].experiment.process
        return posterior_sampler(process, min(most, process.num_levels))

    def sampling_diagnostics(self, name: str) -> SamplingDiagnosticsSettings:
        """Return the settings of the sampling diagnostics of a variant."""
        return SamplingDiagnosticsSettings(sampling=self.sampling(name), diagnostics=self.evaluation.diagnostics)

    def initial_weights(self, name: str) -> str | None:
        """Return the experiment whose trained weights initialize the training of a variant; None for random weights."""
        return self.experiments[self.variants[name].base].initial_weights

    def run(self, name: str) -> RunSettings:
        """Return the run settings of the training of a variant."""
        return self.experiments[self.variants[name].base].run
