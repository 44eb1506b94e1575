"""Tabulate the held-out loss at each level relative to an output of zero, and for heat the best δ of the level."""

import pandas as pd

from ihdm.config.processes import ProcessSettings
from ihdm.config.settings import Settings
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import ERRORS, of_experiment
from ihdm.runs import each_experiment


class LevelSettings(Settings):
    """Settings of the loss at each level."""

    process: ProcessSettings


def compute(files: Files, settings: LevelSettings) -> Results:
    """Return one row for each level."""
    from ihdm.likelihood import best_deltas
    from ihdm.metrics.heldout import HeldOutErrors, level_rows
    from ihdm.processes import build_process

    process = settings.process
    stored = HeldOutErrors.read(files["errors"], process)
    rows = level_rows(stored, process)
    if process.has_constant_noise:
        sigma = build_process(process, 2).deviation(process.num_levels)  # of images of any size
        best = best_deltas(stored.means(), stored.num_dims, sigma) / sigma
        rows = [row | {"best_delta_ratio": ratio} for row, ratio in zip(rows, best, strict=True)]
    return {"levels": rows}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return for each experiment the number of levels at which the network beats an output of zero, and the factor."""
    rows = []
    for experiment, levels in table.groupby("experiment", sort=False):
        ratio = levels["loss"] / levels["baseline"]
        rows.append(
            {
                "experiment": experiment,
                "levels": len(levels),
                "below that": int((ratio < 1).sum()),
                "smallest ratio": f"{ratio.min():.3f}",
                "median ratio": f"{ratio.median():.3f}",
                "largest ratio": f"{ratio.max():.3f}",
            }
        )
    return pd.DataFrame(rows)


MEASURE = Measure(
    compute=compute,
    runs=each_experiment(lambda run: run.variant.has_levels),
    inputs={"errors": ERRORS},
    outputs={"levels": "metrics/levels/{experiment}.csv"},
    settings=lambda run: LevelSettings(process=run.variant.experiment.process),
    model=LevelSettings,
    labels=of_experiment,
    tables={
        "levels": Table(
            heading="Validation loss by level",
            explanation=(
                "Held-out loss at each level k relative to the loss of an output of zero. For heat that is f = 0, "
                "which leaves the image unchanged; for diffusion it is the prediction of no noise. Below one, the "
                "network helps."
            ),
            columns={
                "level": "k",
                "blur_sigma": "blur width [pixels]",
                "loss, loss_standard_error": (
                    "squared error of an image, summed over pixels and channels: of the estimated next sharper image, "
                    "or of the noise"
                ),
                "baseline, baseline_standard_error": "the same for an output of zero",
                "best_delta_ratio": "δ/σ that minimizes the bound's term of this level; heat only",
            },
            summarize=summarize,
            notes=(
                "Null: the baseline. Test images are dequantized with uniform noise of one gray level. "
                "`models/EXPERIMENT/held_out.csv` has the same at every validation pass, with `step`; "
                "`models/EXPERIMENT/history.csv` has the training loss with `skipped`, the number of steps without a "
                "finite loss."
            ),
        ),
    },
    is_local=True,
)
