"""Compare estimators of the bound by the NFE that reduces their Monte Carlo error to 0.01 bits per dimension."""

from collections.abc import Iterable

import pandas as pd

from ihdm.config.scale import Config
from ihdm.config.stages import LikelihoodSettings
from ihdm.errors import UserError
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import ERRORS, of_experiment
from ihdm.measures.likelihood import likelihood_settings
from ihdm.runs import Run, each_experiment


def compute(files: Files, settings: LikelihoodSettings) -> Results:
    """Return one row per estimator, at the first δ of the bound."""
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.metrics.likelihood import cost_rows

    stored = HeldOutErrors.read(files["errors"], settings.process)
    if len(stored.network) < 2:
        raise UserError(f"{files['errors']}: one draw of noise has no variance; set likelihood_draws to 2")
    return {"likelihood_cost": cost_rows(stored, settings.process.sigma, settings.delta_ratios[0])}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
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


def runs(config: Config) -> Iterable[Run]:
    """Return the experiments with a likelihood and at least two draws of noise."""
    has_draws = config.evaluation.likelihood_draws > 1
    return each_experiment(lambda run: has_draws and run.variant.has_likelihood)(config)


MEASURE = Measure(
    compute=compute,
    runs=runs,
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
            summarize=summarize,
            notes="Null: `times_fewer` of 1. It has no standard error. It needs `likelihood_draws` of at least 2.",
        ),
    },
    is_local=True,
)
