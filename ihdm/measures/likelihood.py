"""Compute the paper's likelihood bound of test images and its terms, for every δ from the same errors."""

from typing import TYPE_CHECKING

import pandas as pd

from ihdm.config.stages import LikelihoodSettings
from ihdm.errors import UserError
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import ERRORS, TEST, TRAIN, of_experiment
from ihdm.measures.texts import estimate_text, number_texts
from ihdm.metrics.estimates import half_widths
from ihdm.runs import Run, each_experiment

if TYPE_CHECKING:
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.storage.images import StoredImages


def compute(files: Files, settings: LikelihoodSettings) -> Results:
    """Return one row for each δ."""
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.metrics.likelihood import likelihood_rows

    stored = HeldOutErrors.read(files["errors"], settings.process)
    centers, images = fitting_images(stored, settings, files)
    return {"likelihood": likelihood_rows(stored, centers, images, settings)}


def fitting_images(
    errors: "HeldOutErrors", settings: LikelihoodSettings, files: Files
) -> tuple["StoredImages", "StoredImages"]:
    """Return the training images of the prior, and the test images of the errors.

    Raises:
        UserError: if there are too few, or their sizes differ.
    """
    from ihdm.storage.reading import first_images, require_one_shape

    train, test = files["train"], files["test"]
    centers, images = first_images(train, settings.num_train), first_images(test, errors.network.shape[1])
    require_one_shape({str(train): centers, str(test): images})
    if images[0].size != errors.num_dims:
        raise UserError(
            f"{test}: the errors are of images of {errors.num_dims} values, but these have {images[0].size}"
        )
    return centers, images


VARIANCES = {"one": "one for all", "level": "one a level", "mode": "one a level and mode"}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
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


MEASURE = Measure(
    compute=compute,
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
            summarize=summarize,
            made_by=("likelihood", "joints"),
            notes=(
                "Lower is better. Null: 8 bits, the stored size of a value. At δ = 0 the bound is infinite and the "
                "row is missing. The network is evaluated once at every level of every test image; the bound for "
                "every δ uses the same errors."
            ),
        ),
    },
    memory_mb=8000,
)
