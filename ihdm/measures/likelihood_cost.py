"""Compare ways to spend network evaluations: how many bring the error from noise to 0.01 bits per dimension."""

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
    """Return one row for each way, at the first δ of the bound."""
    from ihdm.metrics.heldout import HeldOutErrors
    from ihdm.metrics.likelihood import cost_rows

    stored = HeldOutErrors.read(files["errors"], settings.process)
    if len(stored.network) < 2:
        raise UserError(
            f"{files['errors']}: one draw of noise tells nothing of its variance; set likelihood_draws to 2"
        )
    return {"likelihood_cost": cost_rows(stored, settings.process.sigma, settings.delta_ratios[0])}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and way to spend evaluations."""
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
    """Return the experiments with a likelihood; one draw of noise does not tell what it costs."""
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
            heading="What does the likelihood cost?",
            explanation=(
                "Network evaluations that bring the error from noise to 0.01 bits per dimension, test images given. "
                "Uniform random levels, one for each image, are the plain way; every level in turn, the control "
                "variate and levels drawn by their variance make less do."
            ),
            columns={
                "design": (
                    "`uniform random levels`: one random level an image; `every level`; and those with a control "
                    "variate or with levels drawn by their variance"
                ),
                "evaluations": "how many bring the error from noise to 0.01 bits per dimension, test images given",
                "times_fewer": "than uniform random levels",
            },
            summarize=summarize,
            rows="What does the likelihood cost? One row for each way to spend network evaluations.",
            notes="Null: `times_fewer` of 1. It has no error of its own. It needs `likelihood_draws` of 2 or more.",
        ),
    },
    is_local=True,
)
