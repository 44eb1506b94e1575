"""The number of images that each job of a scale sends through a network."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ihdm.config.processes import observed_levels
from ihdm.config.restoration import BlurProblem, NoiseProblem
from ihdm.config.scale import Config
from ihdm.config.stages import NUM_SHOWN
from ihdm.measures.errors import error_settings
from ihdm.measures.evaluations import snapshot_settings, study_settings
from ihdm.measures.likelihood import joint_settings
from ihdm.measures.restoration import restoration_settings
from ihdm.metrics.asymptotics import DELTA_RATIOS, MAX_IMAGES, NUM_LANGEVIN_LEVELS, NUM_LOSS_LEVELS, NUM_STEPS
from ihdm.metrics.evaluations import count_sets
from ihdm.models.training import MAX_EVALUATIONS, preview_sampler
from ihdm.processes import build_process
from ihdm.restoration.solvers import is_reached
from ihdm.restoration.study import SHIFTS, TRUST, WEIGHTS
from ihdm.runs import Run
from ihdm.samples.diagnostics import GRID, NUM_STAGES_OF_GRADIENTS
from ihdm.samples.generation import even_size, shard_numbers

ROWS_OF_A_SEQUENCE = 4


@dataclass(frozen=True)
class Work:
    """Number of network evaluations, counted per image.

    Attributes:
        evaluated: forward passes in the precision of the evaluation.
        trained: forward and backward passes in the precision of the training.
        validated: forward passes in the precision of the training.
    """

    evaluated: int = 0
    trained: int = 0
    validated: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.evaluated + other.evaluated, self.trained + other.trained, self.validated + other.validated)

    @property
    def images(self) -> int:
        """The total."""
        return self.evaluated + self.trained + self.validated


def _filled(count: int, batch: int) -> int:
    """Return the number of images in batches that are always full."""
    return math.ceil(count / batch) * batch


def _evenly(count: int, most: int) -> int:
    return _filled(count, even_size(count, most))


def training(config: Config, name: str) -> Work:
    """Return the work of the training steps."""
    settings = config.variants[name].experiment.training
    return Work(trained=settings.steps * settings.batch_size)


def validation(config: Config, name: str) -> Work:
    """Return the work of held-out losses and previews during training."""
    experiment, run = config.variants[name].experiment, config.run(name)
    process, shown = experiment.process, preview_sampler(experiment)
    levels = len(observed_levels(process, None if experiment.predicted.estimates_next_level else MAX_EVALUATIONS))
    previews = _filled(run.num_previews, run.micro_batch or run.num_previews)
    number = math.ceil(experiment.training.steps / run.validate_every)
    images = run.num_validation_images * levels + previews * shown.num_evaluations(process.num_levels)
    return Work(validated=number * images)


def _evaluations(config: Config, name: str) -> int:
    variant = config.variants[name]
    return variant.sampling.num_evaluations(variant.experiment.process.num_levels)


def samples(config: Config, name: str) -> Work:
    """Return the work of one set of samples."""
    settings = config.evaluation
    parts = [shard_numbers(settings.num_samples, part, settings.num_shards) for part in range(settings.num_shards)]
    batch = config.sampling(name).micro_batch
    return Work(sum(_filled(len(part), batch) for part in parts) * _evaluations(config, name))


def samples_shard(config: Config, name: str) -> Work:
    """Return the work of one shard of a set of samples."""
    return Work(samples(config, name).evaluated // config.evaluation.num_shards)


def samples_sequence(config: Config, name: str) -> Work:
    """Return the work of a sequence of intermediate states."""
    count = _evenly(ROWS_OF_A_SEQUENCE, config.sampling(name).micro_batch)
    return Work(count * _evaluations(config, name))


def samples_grid(config: Config, name: str) -> Work:
    """Return the work of samples for all pairs of starts and noises."""
    grid = config.evaluation.disentanglement
    count = _evenly(grid.num_starts * grid.num_noises, config.sampling(name).micro_batch)
    return Work(count * _evaluations(config, name))


def samples_diagnose(config: Config, name: str) -> Work:
    """Return the work of sampling diagnostics."""
    diagnostics, batch = config.evaluation.diagnostics, config.sampling(name).micro_batch
    trees = diagnostics.num_trees << diagnostics.num_splits
    counts = (diagnostics.num_pairs * diagnostics.num_positions, trees, diagnostics.num_trajectories)
    chains = sum(_evenly(count, batch) for count in counts) + diagnostics.num_gradients
    # A backward pass costs about two forward passes.
    derived = diagnostics.num_gradients * NUM_STAGES_OF_GRADIENTS * (1 + 2 * GRID**2)
    return Work(chains * _evaluations(config, name) + derived)


def metrics_errors(config: Config, name: str) -> Work:
    """Return the work of the held-out errors for the paper's bound."""
    errors = error_settings(Run(config, name))
    return Work(errors.num_images * len(errors.observed) * (errors.num_draws + errors.extra_draws))


def models_calibration(config: Config, name: str) -> Work:
    """Return the work of calibration."""
    calibration = config.calibration(name)
    return Work(calibration.num_images * len(calibration.levels))


def metrics_joints(config: Config, name: str) -> Work:
    """Return the work of the bounds of all joints."""
    joints = joint_settings(Run(config, name))
    return Work(joints.num_images * len(joints.levels) * joints.num_draws)


def metrics_asymptotics(config: Config, name: str) -> Work:
    """Return the work of comparing deblurring with denoising."""
    errors = error_settings(Run(config, name))
    levels = [len(observed_levels(errors.process, most)) for most in (NUM_LOSS_LEVELS, errors.max_levels)]
    chains = NUM_LANGEVIN_LEVELS * len(DELTA_RATIOS) * NUM_STEPS
    return Work(min(errors.num_images, MAX_IMAGES) * (levels[0] * errors.num_draws + levels[1] + chains))


def metrics_milestones(config: Config, name: str) -> Work:
    """Return the work of samples of all snapshots."""
    settings, steps = snapshot_settings(Run(config, name)), config.variants[name].experiment.training.steps
    kept = steps // (config.run(name).snapshot_every or steps)
    evaluations = settings.sampling.sampler.num_evaluations(settings.sampling.process.num_levels)
    return Work(kept * evaluations * _filled(settings.num_samples, settings.sampling.micro_batch))


def metrics_evaluations(config: Config, name: str) -> Work:
    """Return the work of samples with several numbers of function evaluations."""
    study = study_settings(Run(config, name))
    sets = count_sets(study) // len(study.counts)
    return Work(sum(study.counts) * sets * _filled(study.num_samples, study.sampling.micro_batch))


def metrics_restoration(config: Config, name: str) -> Work:
    """Return an upper bound of the work of restoring test images."""
    study = restoration_settings(Run(config, name))
    steps = study.sampler.num_evaluations(study.process.num_levels)

    def made(num_values: int, num_draws: int = 1) -> int:
        scored, tried = (count * num_draws for count in (study.num_images, study.num_validation))
        return sum(_evenly(count, study.micro_batch) for count in (scored, *[tried] * num_values))

    evaluations = 0
    for problem in study.problems.values():
        evaluations += steps * made(len(TRUST), study.num_draws)
        if isinstance(problem, BlurProblem | NoiseProblem) and study.process.starts_from_images:
            evaluations += study.process.num_levels * made(len(WEIGHTS))
            width = problem.width if isinstance(problem, BlurProblem) else 0.0
            if is_reached(build_process(study.process, 2), width):
                evaluations += steps * made(len(SHIFTS), study.num_draws) + made(len(SHIFTS))
    return Work(evaluations)


def models_export(config: Config, name: str) -> Work:
    """Return the work of the samples shown with an exported pipeline."""
    return Work(NUM_SHOWN * _evaluations(config, name))


JOBS = (
    samples, samples_shard, samples_sequence, samples_grid, samples_diagnose, metrics_errors, models_calibration,
    metrics_joints, metrics_asymptotics, metrics_evaluations, metrics_milestones, metrics_restoration, models_export,
)  # fmt: skip
WORK: dict[str, Callable[[Config, str], Work]] = {
    **dict.fromkeys(
        ("models", "models_whitened"), lambda config, name: training(config, name) + validation(config, name)
    ),
    **{job.__name__: job for job in JOBS},
}
"""Work of one job of a rule for an experiment."""


def networks_work(config: Config, name: str) -> dict[str, Work]:
    """Return the work with the network of an experiment and its sampling variants, by stage."""
    variant = config.variants[name]
    sampled = [other for other in config.variants.values() if other.model == name]
    diagnosed = [other.name for other in sampled if other.name in config.diagnostics]
    bounds = [metrics_errors, metrics_joints, models_calibration] if variant.has_levels else []
    diagnostics = [samples_diagnose(config, other) for other in diagnosed]
    shown = config.figures.get("teaser", ())
    diagnostics += [samples_sequence(config, other.name) for other in sampled if other.name in shown]
    jobs = {
        samples_grid: variant.has_disentanglement,
        metrics_asymptotics: name in diagnosed and variant.experiment.has_paper_bound,
        metrics_evaluations: name in config.studies,
        metrics_milestones: config.run(name).snapshot_every,
        metrics_restoration: name in config.restoration,
        models_export: name in config.portable,
    }
    diagnostics += [job(config, name) for job, is_needed in jobs.items() if is_needed]
    return {
        "training": training(config, name),
        "validation": validation(config, name),
        "samples": sum((samples(config, other.name) for other in sampled for _ in other.delta_ratios), Work()),
        "likelihood": sum((work(config, name) for work in bounds), Work()),
        "diagnostics": sum(diagnostics, Work()),
    }
