"""Likelihood bounds of test images: the paper's, those of several joints, and the cost of estimating the former."""

from collections.abc import Iterable

import pandas as pd

from ihdm.config.processes import observed_levels
from ihdm.config.scale import Config
from ihdm.config.stages import JointSettings, LikelihoodSettings
from ihdm.errors import UserError
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import CALIBRATED, ERRORS, TEST, TRAIN, of_experiment, squares_of
from ihdm.measures.texts import estimate_text, number_texts
from ihdm.metrics.estimates import half_widths
from ihdm.runs import Run, each_experiment


def compute_bound(files: Files, settings: LikelihoodSettings) -> Results:
    """Compute the paper's likelihood bound of test images and its terms, for every δ from the same errors."""
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.metrics.likelihood import fitting_images, likelihood_rows

    stored = HeldOutErrors.read(files["errors"], settings.process)
    centers, images = fitting_images(stored, files["train"], files["test"], settings.num_train)
    return {"likelihood": likelihood_rows(stored, centers, images, settings)}


def likelihood_settings(run: Run) -> LikelihoodSettings:
    """Return the settings of the bound of an experiment; δ = 0 has no bound and is left out."""
    variant = run.variant
    return LikelihoodSettings.model_validate(
        {
            "process": variant.experiment.process,
            "prior_noise": variant.prior_noise,
            "delta_ratios": tuple(ratio for ratio in variant.delta_ratios if ratio > 0),
            "num_train": variant.experiment.num_train,
        }
    )


VARIANCES = {"one": "one for all", "level": "one a level", "mode": "one a level and mode"}


def summarize_bounds(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and δ, with the bound and its terms."""
    terms = {"nats": "nats", "L_K": "prior_nats", "Σ L_k": "transition_nats", "L_0": "reconstruction_nats"}
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "joint": table["joint"],
            "variance": table["variance"].map(VARIANCES),
            "δ/σ": number_texts(table["delta_ratio"], "{:g}"),
            "n": table["n"],
            "bits/dim": _with_errors(table, "bits_per_dim", "standard_error"),
            "± by noise alone": number_texts(1.96 * table["monte_carlo_error"], "{:.4f}"),
            **{heading: _with_errors(table, column, f"{column}_error") for heading, column in terms.items()},
            "nats, best δ each level": number_texts(table["nats_best_levels"], "{:.1f}"),
        }
    )


def _with_errors(table: pd.DataFrame, values: str, errors: str) -> list[str]:
    return [estimate_text(*pair) for pair in zip(table[values], half_widths(table, errors), strict=True)]


LIKELIHOOD = Measure(
    compute=compute_bound,
    runs=each_experiment(lambda run: run.variant.has_likelihood),
    inputs={"errors": ERRORS, "train": TRAIN, "test": TEST},
    outputs={"likelihood": "metrics/likelihood/{experiment}.csv"},
    settings=likelihood_settings,
    model=LikelihoodSettings,
    labels=of_experiment,
    tables={
        "likelihood": Table(
            heading="Likelihood bounds of held-out images",
            explanation=(
                "Upper bound on the negative log-likelihood of dequantized test images, with 95 % intervals, and its "
                "three parts in nats. Independent joint with one variance: the paper's bound, infinite at δ = 0. It "
                "takes the levels as independent given the image and pays for new noise at every level. The Markov "
                "joint has the same marginals and avoids this cost. Variances per level, or per level and mode, are "
                "estimated on training images. Diffusion has no δ; its Markov rows are the usual bound."
            ),
            columns={
                "joint": (
                    "`independent`, the paper's, or `markov`; see [Compare "
                    "processes](processes.md#likelihood-bounds-and-the-joint-distribution)"
                ),
                "variance": "of the transitions: `one` for all, one per `level`, or one per level and `mode`",
                "bits_per_dim, standard_error": "the bound in bits per dimension",
                "monte_carlo_error": "part of that error due to the drawn noise; empty with one draw",
                "nats, nats_error": "the bound of a whole image",
                "prior_nats, prior_nats_error": "L_K: the start",
                "transition_nats, transition_nats_error": "ΣL: the steps",
                "reconstruction_nats, reconstruction_nats_error": "L_0: the last step",
                "transition_nats_monte_carlo_error, reconstruction_nats_monte_carlo_error": "as above, of the parts",
                "nats_best_levels": "the bound with the best δ at every level",
            },
            summarize=summarize_bounds,
            made_by=("likelihood", "joints"),
            notes=(
                "Lower is better. Null: 8 bits, the stored size of a value. At δ = 0 the bound is infinite and the "
                "row is missing. The network is evaluated once at every level of every test image; the bound for "
                "every δ uses the same errors."
            ),
        )
    },
    memory_mb=8000,
)


def compute_joints(files: Files, settings: JointSettings) -> Results:
    """Compute likelihood bounds of test images by the independent and the Markov joint, for several variances.

    Variances were measured on training images (``models calibrate``).
    """
    from ihdm.calibration import CALIBRATION_NAME, Calibration
    from ihdm.data.order import photograph_numbers
    from ihdm.devices import compute_device
    from ihdm.metrics.joints import joint_rows
    from ihdm.models.network import load_network
    from ihdm.progress import Progress
    from ihdm.storage.reading import first_images, open_images

    device, model = compute_device(), files["model"]
    images = first_images(files["test"], settings.num_images)
    network = load_network(model, settings.process, images, device, settings.compute)
    calibration = Calibration.read(model / CALIBRATION_NAME, settings.process, images.shape[1])
    with Progress(f"bounds of {model.name}", len(settings.levels), unit="levels") as progress:
        centers = first_images(files["train"], settings.num_train)
        photographs = photograph_numbers(len(images), len(open_images(files["test"])), settings.squares, "test")
        rows = joint_rows(
            network, calibration, centers, images, settings, device, progress.update, photographs=photographs
        )
    return {"likelihood": rows}


def joint_settings(run: Run) -> JointSettings:
    """Return the settings of the bounds of an experiment's network by several joints."""
    variant, evaluation = run.variant, run.config.evaluation
    process = variant.experiment.process
    ratios = tuple(ratio for ratio in variant.delta_ratios if ratio > 0) if process.has_constant_noise else ()
    return JointSettings(
        process=process,
        prediction=variant.experiment.prediction,
        seed=variant.experiment.seed,
        levels=observed_levels(process, evaluation.max_levels),
        num_images=evaluation.likelihood_images(variant.dataset),
        micro_batch=evaluation.micro_batch_of(variant.dataset),
        compute=evaluation.compute,
        num_draws=evaluation.likelihood_draws,
        delta_ratios=ratios or (1.0,),
        bandwidth_ratio=evaluation.delta_ratio or 1.0,
        num_train=variant.experiment.num_train,
        squares=squares_of(run, "test"),
    )


JOINTS = Measure(
    compute=compute_joints,
    runs=each_experiment(lambda run: run.variant.has_levels),
    inputs={"model": CALIBRATED, "train": TRAIN, "test": TEST},
    outputs={"likelihood": "metrics/joints/{experiment}.csv"},
    settings=joint_settings,
    model=JointSettings,
    labels=of_experiment,
    gpu="network",
    memory_mb=8000,
    minutes=720,
)


def compute_cost(files: Files, settings: LikelihoodSettings) -> Results:
    """Compare estimators of the bound by the NFE that reduces their Monte Carlo error to 0.01 bits per dimension.

    They are compared at the first δ of the bound.
    """
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.metrics.likelihood import cost_rows

    stored = HeldOutErrors.read(files["errors"], settings.process)
    if len(stored.network) < 2:
        raise UserError(f"{files['errors']}: one draw of noise has no variance; set likelihood_draws to 2")
    return {"likelihood_cost": cost_rows(stored, settings.process.sigma, settings.delta_ratios[0])}


def summarize_costs(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row per experiment and estimator."""
    return pd.DataFrame(
        {
            "experiment": table["experiment"],
            "levels and draws": table["design"],
            "δ/σ": table["delta_ratio"].map("{:g}".format),
            "evaluations for 0.01 bits/dim": table["evaluations"].map("{:,.0f}".format),
            "times fewer": table["times_fewer"].map("{:.1f}".format),
        }
    )


def each_with_draws(config: Config) -> Iterable[Run]:
    """Return the experiments with a likelihood and at least two draws of noise."""
    has_draws = config.evaluation.likelihood_draws > 1
    return each_experiment(lambda run: has_draws and run.variant.has_likelihood)(config)


LIKELIHOOD_COST = Measure(
    compute=compute_cost,
    runs=each_with_draws,
    inputs={"errors": ERRORS},
    outputs={"likelihood_cost": "metrics/likelihood_cost/{experiment}.csv"},
    settings=likelihood_settings,
    model=LikelihoodSettings,
    labels=of_experiment,
    tables={
        "likelihood_cost": Table(
            heading="Cost of the likelihood bound",
            explanation=(
                "Network evaluations that reduce the error due to noise to 0.01 bits per dimension, for fixed test "
                "images. One random level per image is the plain estimator. Evaluating every level, a control "
                "variate, and levels drawn by their variance need fewer."
            ),
            columns={
                "design": (
                    "`uniform random levels`: one random level per image; `every level`; and those with a control "
                    "variate or with levels drawn by their variance"
                ),
                "evaluations": "number that reduces the error to 0.01 bits per dimension",
                "times_fewer": "relative to uniform random levels",
            },
            summarize=summarize_costs,
            notes="Null: `times_fewer` of 1. It has no standard error. It needs `likelihood_draws` of at least 2.",
        )
    },
    is_local=True,
)
