"""The limit of many levels."""

import pandas as pd

from ihdm.config.scale import Config
from ihdm.measures.texts import interval_texts, number_texts

HEADING = "Does deblurring become denoising with many levels?"
EXPLANATION = (
    "Ratios, whose limit for many levels is one. Losses: the error of deblurring to the next level over that of "
    "denoising at the same one; exactly for Gaussian data, where it is all levels together, and for networks on held- "
    "out images, level by level; and for all levels together of a chain that visits only so many of the levels that "
    "the network was trained on, with its measured gains. Langevin: steps repeated at one level, the power that the "
    "state then has over that of blurred and noisy data; with δ/σ = √2 it is to stay as it is where data are stronger "
    "than the noise (live), and to be up to twice as large where they are weaker (dead); with a smaller δ it is in "
    "proportion to δ². For networks it is told in bands of frequency, from the coarsest to the finest, after few "
    "steps, in which strong modes hardly change. With 95 % intervals over images; Gaussian data need none."
)
NAMES = {
    "toy_loss": "losses, Gaussian data",
    "toy_langevin": "Langevin, Gaussian data",
    "network_loss": "losses, network",
    "network_losses": "losses of a chain of K levels, network",
    "network_langevin": "Langevin, network",
}
BANDS = {"": "ratio", "live": "live", "dead": "dead"}


def parts(config: Config) -> list[str]:
    """Return one table for each network that is looked into and whose process has the limit."""
    probed = {name: config.variants[name] for name in config.probes}
    return [
        f"metrics/asymptotics/{name}.csv"
        for name, variant in probed.items()
        if variant.is_trained and variant.experiment.has_paper_bound
    ]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment, part, K, level and δ/σ; those of Gaussian data once for all experiments."""
    is_toy = table["part"].str.startswith("toy")
    bands = table["band"].astype(object).where(table["band"].notna(), "").astype(str).str.removesuffix(".0")
    has_error = table["standard_error"] > 0
    table = table.assign(
        experiment=table["experiment"].mask(is_toy, "–"),
        name=[BANDS.get(band, band) if band in BANDS else f"band {int(band) + 1}" for band in bands],
        text=interval_texts(table.assign(low=table["low"].where(has_error), high=table["high"].where(has_error))),
    ).drop_duplicates(["experiment", "part", "num_levels", "level", "delta_ratio", "name"])
    table = table.assign(
        what=table["part"].map(NAMES),
        K=table["num_levels"],
        level=number_texts(table["level"], "{:.0f}"),
        ratio=number_texts(table["delta_ratio"], "{:.3g}"),
    )
    keys = ["experiment", "what", "K", "level", "ratio"]
    wide = table.pivot_table(index=keys, columns="name", values="text", aggfunc="first", sort=False)
    wide = wide.reindex(pd.MultiIndex.from_frame(table[keys].drop_duplicates()))  # in the order of the table
    wide.index = wide.index.set_names("δ/σ", level="ratio")
    return wide.fillna("–").reset_index().rename(columns={"what": "part"}).rename_axis(columns=None)
