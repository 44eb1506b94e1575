"""Compare deblurring with denoising, which agree for many levels: for Gaussian data exactly, and for a network."""

import pandas as pd

from ihdm.config.stages import ErrorSettings
from ihdm.errors import UserError
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.errors import error_settings
from ihdm.measures.inputs import CALIBRATED, TEST, of_experiment
from ihdm.measures.texts import interval_texts, number_texts
from ihdm.runs import Run, each_diagnosed


def compute(files: Files, settings: ErrorSettings) -> Results:
    """Return the ratios, from at most 100 images and a subset of the levels.

    Raises:
        UserError: if the process has no such limit.
    """
    from ihdm.calibration import CALIBRATION_NAME, Calibration
    from ihdm.data.order import photograph_numbers
    from ihdm.devices import compute_device
    from ihdm.metrics.asymptotics import DELTA_RATIOS, MAX_IMAGES, Subject, compared_levels, network_rows, toy_rows
    from ihdm.metrics.heldout import dequantize
    from ihdm.models.network import load_network
    from ihdm.processes import build_process
    from ihdm.progress import Progress
    from ihdm.storage.reading import first_images, open_images

    process, device = settings.process, compute_device()
    if not settings.has_paper_bound:
        raise UserError(
            f"metrics asymptotics: a process of kind '{process.kind}' has no δ and no such limit; use the network of a "
            "heat process"
        )
    images = first_images(files["test"], min(settings.num_images, MAX_IMAGES))
    subject = Subject(
        load_network(files["model"], process, images, device, settings.compute),
        build_process(process, images.shape[1], device),
        dequantize(images).to(device),
        settings.seed,
        settings.micro_batch,
    )
    calibration = Calibration.read(files["model"] / CALIBRATION_NAME, process, images.shape[1])
    photographs = photograph_numbers(len(images), len(open_images(files["test"])), settings.squares, "test")
    losses, chains, repeated = compared_levels(settings)
    total = len(losses) + len(chains) + len(repeated) * len(DELTA_RATIOS)
    with Progress(f"asymptotics of {files['model'].name}", total, unit="levels") as progress:
        measured = network_rows(subject, calibration, settings, progress.update, photographs)
    return {"asymptotics": [*toy_rows(), *measured]}


def has_limit(run: Run) -> bool:
    """Return whether a network is trained for the experiment and its process has the limit."""
    return run.variant.is_trained and run.variant.experiment.has_paper_bound


NAMES = {
    "toy_loss": "losses, Gaussian data",
    "toy_langevin": "Langevin, Gaussian data",
    "network_loss": "losses, network",
    "network_losses": "losses of a chain of K levels, network",
    "network_langevin": "Langevin, network",
}
BANDS = {"": "ratio", "live": "live", "dead": "dead"}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
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


MEASURE = Measure(
    compute=compute,
    runs=lambda config: filter(has_limit, each_diagnosed(config)),
    inputs={"model": CALIBRATED, "test": TEST},
    outputs={"asymptotics": "metrics/asymptotics/{experiment}.csv"},
    settings=error_settings,
    model=ErrorSettings,
    labels=of_experiment,
    gpu="network",
    memory_mb=8000,
    minutes=720,
    tables={
        "asymptotics": Table(
            heading="Limit of many levels",
            explanation=(
                "Ratios that tend to one for many levels. Losses: error of deblurring to the next level over the "
                "error of denoising at the same level. This ratio is exact for Gaussian data (all levels together). "
                "For networks it is measured on held-out images, level by level and for chains with fewer levels. "
                "Langevin: power of the state after repeated steps at one level over the power of "
                "blurred, noisy data. With δ/σ = √2 it stays at one where data exceed the noise (live) and reaches up "
                "to two elsewhere (dead); with a smaller δ it is proportional to δ². 95 % intervals over images; "
                "Gaussian data are exact."
            ),
            columns={
                "part": (
                    "`toy_loss`, `toy_langevin`: exact, for Gaussian data; `network_loss`, `network_langevin`: "
                    "measured on a network; `network_losses`: all levels of a chain with fewer levels"
                ),
                "num_levels, level": "K, or the number of evaluated levels, and k",
                "expected": (
                    "for `network_langevin`, the value of an exact network on Gaussian data of the same power"
                ),
                "band": "`live` or `dead` modes of the toy; bands of frequency of the network",
                "value": (
                    "loss: deblurring over denoising; Langevin: power after repeated steps over that of the forward "
                    "process"
                ),
            },
            summarize=summarize,
            notes=(
                "Null: 1, the limit. For the toy, n is the number of modes. Network errors are those of a ratio over "
                "images."
            ),
        ),
    },
)
