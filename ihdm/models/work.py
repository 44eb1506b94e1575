"""How many images the jobs of a scale send through networks."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ihdm.config.processes import observed_levels
from ihdm.config.restoration import BlurProblem, NoiseProblem
from ihdm.config.scale import Config
from ihdm.config.stages import NUM_SHOWN
from ihdm.measures.errors import error_settings
from ihdm.measures.evaluations import study_settings
from ihdm.measures.joints import joint_settings
from ihdm.measures.milestones import snapshot_settings
from ihdm.measures.restoration import restoration_settings
from ihdm.metrics.asymptotics import DELTA_RATIOS, MAX_IMAGES, NUM_LANGEVIN_LEVELS, NUM_LOSS_LEVELS, NUM_STEPS
from ihdm.metrics.evaluations import count_sets
from ihdm.models.monitoring import MAX_EVALUATIONS, preview_sampler
from ihdm.processes import build_process
from ihdm.restoration.solvers import is_reached
from ihdm.restoration.study import SHIFTS, TRUST, WEIGHTS
from ihdm.runs import Run
from ihdm.samples.diagnostics import GRID, NUM_STAGES_OF_GRADIENTS
from ihdm.samples.generation import even_size, shard_numbers

ROWS_OF_A_SEQUENCE = 4


@dataclass(frozen=True)
class Work:
    """Images that pass a network, each time that one does.

    Attributes:
        there: forward, at the evaluation's precision.
        trained: forward and back, at the training's.
        looked: forward, at the training's too.
    """

    there: int = 0
    trained: int = 0
    looked: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(self.there + other.there, self.trained + other.trained, self.looked + other.looked)

    @property
    def images(self) -> int:
        """All of them."""
        return self.there + self.trained + self.looked


def _filled(count: int, batch: int) -> int:
    """Return how many images are made for so many that are asked for: batches of samples are always full."""
    return math.ceil(count / batch) * batch


def _evenly(count: int, most: int) -> int:
    """Return the same for what one job makes as a whole."""
    return _filled(count, even_size(count, most))


def training(config: Config, name: str) -> Work:
    """Return the work of a training's steps."""
    settings = config.variants[name].experiment.training
    return Work(trained=settings.steps * settings.batch_size)


def looks(config: Config, name: str) -> Work:
    """Return the work of looking at held-out losses and samples on the way."""
    experiment, run = config.variants[name].experiment, config.run(name)
    process, shown = experiment.process, preview_sampler(experiment)
    levels = len(observed_levels(process, None if experiment.predicted.estimates_next_level else MAX_EVALUATIONS))
    previews = _filled(run.num_previews, run.micro_batch or run.num_previews)
    number = math.ceil(experiment.training.steps / run.validate_every)
    return Work(
        looked=number * (run.num_validation_images * levels + previews * shown.num_evaluations(process.num_levels))
    )


def _evaluations(config: Config, name: str) -> int:
    variant = config.variants[name]
    return variant.sampling.num_evaluations(variant.experiment.process.num_levels)


def samples(config: Config, name: str) -> Work:
    """Return the work of a set of samples at one δ."""
    settings = config.evaluation
    parts = [shard_numbers(settings.num_samples, part, settings.num_shards) for part in range(settings.num_shards)]
    batch = config.sampling(name).micro_batch
    return Work(sum(_filled(len(part), batch) for part in parts) * _evaluations(config, name))


def samples_shard(config: Config, name: str) -> Work:
    """Return the work of one of the jobs that share such a set."""
    return Work(samples(config, name).there // config.evaluation.num_shards)


def samples_sequence(config: Config, name: str) -> Work:
    """Return the work of a few samples, as they form."""
    count = _evenly(ROWS_OF_A_SEQUENCE, config.sampling(name).micro_batch)
    return Work(count * _evaluations(config, name))


def samples_grid(config: Config, name: str) -> Work:
    """Return the work of crossing starts with noises."""
    grid = config.evaluation.disentanglement
    count = _evenly(grid.num_starts * grid.num_noises, config.sampling(name).micro_batch)
    return Work(count * _evaluations(config, name))


def samples_diagnose(config: Config, name: str) -> Work:
    """Return the work of looking into how images are made."""
    diagnostics, batch = config.evaluation.diagnostics, config.sampling(name).micro_batch
    trees = diagnostics.num_trees << diagnostics.num_splits
    counts = (diagnostics.num_pairs * diagnostics.num_positions, trees, diagnostics.num_trajectories)
    chains = sum(_evenly(count, batch) for count in counts) + diagnostics.num_gradients
    # A way back costs about two there.
    derived = diagnostics.num_gradients * NUM_STAGES_OF_GRADIENTS * (1 + 2 * GRID**2)
    return Work(chains * _evaluations(config, name) + derived)


def metrics_errors(config: Config, name: str) -> Work:
    """Return the work of the held-out errors that the paper's bound is made of."""
    errors = error_settings(Run(config, name))
    return Work(errors.num_images * len(errors.observed) * (errors.num_draws + errors.extra_draws))


def models_calibration(config: Config, name: str) -> Work:
    """Return the work of measuring what a network leaves open."""
    calibration = config.calibration(name)
    return Work(calibration.num_images * len(calibration.levels))


def metrics_joints(config: Config, name: str) -> Work:
    """Return the work of the bounds by several joints."""
    joints = joint_settings(Run(config, name))
    return Work(joints.num_images * len(joints.levels) * joints.num_draws)


def metrics_asymptotics(config: Config, name: str) -> Work:
    """Return the work of comparing deblurring with denoising."""
    errors = error_settings(Run(config, name))
    levels = [len(observed_levels(errors.process, most)) for most in (NUM_LOSS_LEVELS, errors.max_levels)]
    chains = NUM_LANGEVIN_LEVELS * len(DELTA_RATIOS) * NUM_STEPS
    return Work(min(errors.num_images, MAX_IMAGES) * (levels[0] * errors.num_draws + levels[1] + chains))


def metrics_milestones(config: Config, name: str) -> Work:
    """Return the work of samples of the networks that are kept on the way of a training."""
    settings, steps = snapshot_settings(Run(config, name)), config.variants[name].experiment.training.steps
    kept = steps // (config.run(name).snapshot_every or steps)
    evaluations = settings.sampling.sampler.num_evaluations(settings.sampling.process.num_levels)
    return Work(kept * evaluations * _filled(settings.num_samples, settings.sampling.micro_batch))


def metrics_evaluations(config: Config, name: str) -> Work:
    """Return the work of samples after few and many evaluations."""
    study = study_settings(Run(config, name))
    sets = count_sets(study) // len(study.counts)
    return Work(sum(study.counts) * sets * _filled(study.num_samples, study.sampling.micro_batch))


def metrics_restoration(config: Config, name: str) -> Work:
    """Return the work of restoring test images by every method that uses the network, at most."""
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
    """Return the work of the sheet of samples beside an exported network."""
    return Work(NUM_SHOWN * _evaluations(config, name))


WORK: dict[str, Callable[[Config, str], Work]] = {
    "models": lambda config, name: training(config, name) + looks(config, name),
    "samples": samples,
    "samples_shard": samples_shard,
    "samples_sequence": samples_sequence,
    "samples_grid": samples_grid,
    "samples_diagnose": samples_diagnose,
    "metrics_errors": metrics_errors,
    "models_calibration": models_calibration,
    "metrics_joints": metrics_joints,
    "metrics_asymptotics": metrics_asymptotics,
    "metrics_evaluations": metrics_evaluations,
    "metrics_milestones": metrics_milestones,
    "metrics_restoration": metrics_restoration,
    "models_export": models_export,
}
"""By rule: what one job does, of an experiment that has it."""


def networks_work(config: Config, name: str) -> dict[str, Work]:
    """Return the work that is done with an experiment's own network, by stage: with its variants in sampling alone."""
    variant = config.variants[name]
    sampled = [other for other in config.variants.values() if other.model == name]
    diagnosed = [other.name for other in sampled if other.name in config.diagnostics]
    bounds = [metrics_errors, metrics_joints, models_calibration] if variant.has_levels else []
    looked = [samples_diagnose(config, other) for other in diagnosed]
    looked += [
        samples_sequence(config, other.name) for other in sampled if other.name in config.figures.get("teaser", ())
    ]
    if variant.has_disentanglement:
        looked.append(samples_grid(config, name))
    if name in diagnosed and variant.experiment.has_paper_bound:
        looked.append(metrics_asymptotics(config, name))
    if name in config.studies:
        looked.append(metrics_evaluations(config, name))
    if config.run(name).snapshot_every:
        looked.append(metrics_milestones(config, name))
    if name in config.restoration:
        looked.append(metrics_restoration(config, name))
    if name in config.portable:
        looked.append(models_export(config, name))
    return {
        "training": training(config, name),
        "looks": looks(config, name),
        "samples": sum((samples(config, other.name) for other in sampled for _ in other.delta_ratios), Work()),
        "likelihood": sum((work(config, name) for work in bounds), Work()),
        "diagnostics": sum(looked, Work()),
    }
