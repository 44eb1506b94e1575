"""Quality of samples against steps of training."""

import pandas as pd

from ihdm.config.scale import Config
from ihdm.measures.texts import interval_texts, widen
from ihdm.report.sections.evaluations import NAMES

HEADING = "How good after how many steps of training?"
EXPLANATION = (
    "Samples of the averaged networks that were kept on the way, all from the same starts and noise and measured from "
    "the same reference, with 95 % intervals. Where the last ones agree within these, more steps of the same kind "
    "would hardly have helped. Power in the finest band is relative to training images: one is right."
)


def parts(config: Config) -> list[str]:
    """Return one table for each network whose training keeps some on its way."""
    return [
        f"metrics/milestones/{name}.csv"
        for name, variant in config.variants.items()
        if variant.is_trained and config.run(name).milestone_every
    ]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and step, with its measures."""
    table = table.assign(text=interval_texts(table))
    return widen(table, ["experiment", "step", "n"], "metric").rename(columns=NAMES)
