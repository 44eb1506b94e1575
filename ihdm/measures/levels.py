"""Tabulate the held-out loss at each level against that of an output of zero, and for heat the level's best δ."""

import pandas as pd

from ihdm.config.processes import ProcessSettings
from ihdm.config.settings import Settings
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import ERRORS, of_experiment
from ihdm.runs import each_experiment


class LevelSettings(Settings):
    """What the loss at each level depends on beside the held-out errors."""

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
    """Return for each experiment at how many levels the network beats an output of zero, and by what factor."""
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
            heading="Does the network deblur?",
            explanation=(
                "Held-out loss at each level k, as a ratio to that of an output of zero: for heat f = 0, which "
                "leaves the image as blurred and as noisy as it is; for diffusion the prediction of no noise. Below "
                "one, the network helps."
            ),
            columns={
                "level": "k",
                "blur_sigma": "blur width there [pixels]",
                "loss, loss_standard_error": (
                    "squared error of an image, summed over pixels and channels: of the network's estimate of the "
                    "next sharper image, or of the noise"
                ),
                "baseline, baseline_standard_error": "the same of an output of zero",
                "best_delta_ratio": "δ/σ at which the bound's term of this level is lowest; heat only",
            },
            summarize=summarize,
            rows="Does the network deblur? The held-out loss at each level. One row a level.",
            notes=(
                "Null: the baseline. A ratio of loss to baseline below one says that the network helps. Test images "
                "are dequantized: to each 8-bit value noise of one gray level is added. "
                "`models/EXPERIMENT/held_out.csv` has the same at every look on the way, with `step`, and "
                "`models/EXPERIMENT/history.csv` the training loss with `skipped`, the steps left out because their "
                "loss was not finite."
            ),
        ),
    },
    is_local=True,
)
