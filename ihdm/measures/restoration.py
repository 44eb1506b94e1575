"""Degrade test images, restore them by every method, each tuned on other images, and score the results."""

from functools import partial
from typing import Any

import pandas as pd

from ihdm.config.restoration import RestorationStudy
from ihdm.errors import UserError
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import CALIBRATED, EXTRACTOR, TEST, TRAIN, of_experiment, squares_of
from ihdm.measures.texts import interval_texts
from ihdm.runs import Run


def compute(files: Files, settings: RestorationStudy) -> Results:
    """Return the scores, and some of the images.

    Raises:
        UserError: if there are too few test images, or their size differs from that of the training images.
    """
    import numpy as np

    from ihdm.calibration import CALIBRATION_NAME, Calibration
    from ihdm.devices import compute_device
    from ihdm.metrics.extractors import load_extractor
    from ihdm.models.network import load_network
    from ihdm.processes import build_process
    from ihdm.progress import Progress
    from ihdm.restoration.problems import prior_moments
    from ihdm.restoration.solvers import OnDevice, Restorer
    from ihdm.restoration.study import num_methods, study
    from ihdm.storage.arrays import save_arrays
    from ihdm.storage.reading import first_images, open_images, require_one_shape
    from ihdm.storage.tensors import to_tensor

    model, process, device = files["model"], settings.process, compute_device()
    seen, unseen = first_images(files["train"], settings.num_train), open_images(files["test"])
    require_one_shape({str(files["train"]): seen, str(files["test"]): unseen})
    if len(unseen) < (needed := settings.num_images + settings.num_validation):
        raise UserError(f"{files['test']}: {needed} images are needed for scores and tuning, but it has {len(unseen)}")
    transform = load_extractor(files["extractor"], unseen[:1], inception=files["inception"])
    restorer = Restorer(
        OnDevice(load_network(model, process, seen, device, settings.compute), device),
        build_process(process, seen.shape[1]),
        Calibration.read(model / CALIBRATION_NAME, process, seen.shape[1]),
        *prior_moments(to_tensor(seen[: settings.num_moments])),
        settings.sampler,
        settings.seed,
    )
    rows: list[dict[str, object]] = []
    arrays: dict[str, Any] = {}
    with Progress(
        f"restoring {model.name}", num_methods(restorer, settings, seen.shape[1]), unit="methods"
    ) as progress:
        progress.update(0)
        for found, pictures in study(restorer, unseen, settings, transform, progress.update):
            rows += found
            arrays |= {name: part.astype(np.float32) for name, part in pictures.items()}
    return {"restoration": rows, "pictures": partial(save_arrays, **arrays)}


def restoration_settings(run: Run) -> RestorationStudy:
    """Return the settings of the restoration study of an experiment's network."""
    config, experiment, chosen = run.config, run.variant.experiment, run.config.restoration[run.experiment]
    return RestorationStudy(
        process=experiment.process,
        problems=chosen.problems,
        sampler=config.restoration_sampler(run.experiment),
        seed=experiment.seed,
        num_images=chosen.num_images,
        num_validation=chosen.num_validation,
        num_draws=chosen.num_draws,
        num_resamples=config.evaluation.num_resamples,
        micro_batch=config.evaluation.micro_batch_of(run.dataset),
        num_train=experiment.num_train,
        compute=config.evaluation.compute,
        squares=squares_of(run, "test"),
    )


NAMES = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "consistency": "consistency",
    "spread": "spread",
    "frechet_distance": "Fréchet distance",
    "fid": "FID",
}


def summarize(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment, measurement, method and kind of result."""
    index = ["experiment", "problem", "method", "result"]
    wide = table.assign(text=interval_texts(table)).pivot_table(
        index=index, columns="metric", values="text", aggfunc="first", sort=False
    )
    known = [metric for metric in NAMES if metric in wide.columns]
    return wide[known].fillna("").rename(columns=NAMES).rename_axis(columns=None).reset_index()


MEASURE = Measure(
    compute=compute,
    runs=lambda config: [Run(config, name) for name in config.restoration],
    inputs={"model": CALIBRATED, "train": TRAIN, "test": TEST, "extractor": EXTRACTOR},
    outputs={"restoration": "metrics/restoration/{experiment}.csv", "pictures": "metrics/restoration/{experiment}.npz"},
    settings=restoration_settings,
    model=RestorationStudy,
    labels=of_experiment,
    gpu="network",
    memory_mb=16000,
    minutes=720,
    tables={
        "restoration": Table(
            heading="Restoration of degraded images",
            explanation=(
                "Test images that were blurred, downsampled, masked or noised, and restored by the network and by "
                "methods without one. Every method is tuned on other images. A result is one posterior sample, the "
                "mean of several, or an estimate. PSNR and SSIM: higher is closer to the truth. Consistency: distance "
                "from the measurement relative to its noise; one is right. Spread: error of the mean relative to the "
                "spread of samples; one is right, above one samples are overconfident. Fréchet distance from the test "
                "images. 95 % intervals over images. This study is ours, not the paper's."
            ),
            columns={
                "problem": "name of the degradation in the configuration",
                "method": (
                    "`measurement`: nothing; `wiener`, `richardson_lucy`, `total_variation`, `bicubic`, `biharmonic`: "
                    "without a network; `one_shot`, `map`, `start`, `posterior`: with one; `truth`: the true images"
                ),
                "parameter": "value chosen by validation; empty without one",
                "result": (
                    "`sample`: one sample; `mean`: of all samples; `estimate`: of a method without samples; `truth`"
                ),
                "metric": (
                    "`psnr`: −10 log₁₀ of the mean squared error, in dB; `ssim`; `consistency`: root mean square of y "
                    "− A x̂ over σ_y; `spread`: squared error of the mean of n samples over (1 + 1/n) times their "
                    "variance, both summed over images; `frechet_distance` (`fid` in Inception's features) from all "
                    "test images"
                ),
            },
            summarize=summarize,
            notes=(
                "[Restoration](restoration.md) explains the methods. Null: consistency 1; spread 1 for exact "
                "posterior samples (higher here, as samples end in a mean); the Fréchet distance of the truth, which "
                "is not zero because only some test images are scored. The PSNR of one exact sample is 10 log₁₀(2n/(n "
                "+ 1)) dB below that of the mean of n. Errors are over images. Each method uses the parameter with "
                "the highest PSNR on separate test images."
            ),
        )
    },
)
