"""Measure a set of samples: its features, their distances from the reference, and its power."""

import pandas as pd

from ihdm.config.stages import DistanceSettings
from ihdm.measures import Files, Measure, Results, Table
from ihdm.measures.inputs import COMPARED, distance_settings, reference_name
from ihdm.measures.texts import estimates
from ihdm.runs import Input, each_sample_set


def compute(files: Files, settings: DistanceSettings) -> Results:
    """Return the features of the samples, and the distances and the power of samples and, if given, starts.

    Only distances in Inception's features are called fid and kid.
    """
    from ihdm.metrics.distance import distance_rows
    from ihdm.metrics.extractors import load_extractor
    from ihdm.metrics.features import StoredFeatures, extract
    from ihdm.metrics.frechet_kernel import Moments
    from ihdm.metrics.spectrum import MeanPower, band_rows
    from ihdm.progress import Progress
    from ihdm.storage.files import sha256
    from ihdm.storage.reading import first_images, open_images

    sets = {name: files[name] for name in ("samples", "starts") if name in files}
    stored = {name: open_images(path) for name, path in sets.items()}
    transform = load_extractor(files["extractor"], stored["samples"][:1], inception=files["inception"])
    real = MeanPower.read(files["power"])
    real.require_same_size({str(sets[name]): part for name, part in stored.items()})
    compared: dict[str, StoredFeatures] = {}
    for name, part in stored.items():
        with Progress(f"features of {sets[name]}", len(part), unit="images") as progress:
            compared[name] = extract(transform, part, progress.update)
    known, others = Moments.read(files["moments"], sha256(files["reference"])), StoredFeatures.read(files["reference"])
    total = len(compared) * len(settings.num_images)
    with Progress(f"distances of {files['samples'].parent}", total, unit="sets") as progress:
        progress.update(0)
        distances = distance_rows(compared, others, known, settings, progress.update)
    taken = {"samples": first_images(files["samples"], settings.num_images[0])}
    return {
        "features": compared["samples"].save,
        "distance": distances,
        "spectrum": band_rows(taken, real, settings.num_resamples),
    }


DISTANCES = {
    "extractor": "features",
    "frechet_distance": "Fréchet distance",
    "frechet_distance_extrapolated": "Fréchet, n → ∞",
    "kernel_distance": "kernel distance",
    "fid": "FID",
    "fid_extrapolated": "FID, n → ∞",
    "kid": "KID",
    "note": "",
}


def summarize_distances(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each set of images, with all distances and their 95 % intervals."""
    table = table.assign(note=table["note"].astype(object).fillna(""))
    return estimates(table, ["extractor", "note"], "metric").rename(columns=DISTANCES).fillna("–")


def summarize_spectra(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each set of images, with its power relative to real in each band."""
    return estimates(table, [], "band").rename(columns={"all": "spectral distance"})


MEASURE = Measure(
    compute=compute,
    runs=each_sample_set,
    inputs={
        "samples": Input("samples/{experiment}/delta{ratio}/samples.npy", about="the samples, .npy"),
        # Only at the experiment's default δ/σ, as δ hardly changes them.
        "starts": Input(
            "samples/{experiment}/delta{ratio}/starts.npy",
            exists=lambda run: run.delta_ratio == run.variant.delta_ratio,
            about="their starts, .npy, to be compared too",
            is_optional=True,
        ),
        **COMPARED,
    },
    outputs={
        "features": "metrics/features/{experiment}/delta{ratio}.npz",
        "distance": "metrics/distance/{experiment}/delta{ratio}.csv",
        "spectrum": "metrics/spectrum/{experiment}/delta{ratio}.csv",
    },
    settings=distance_settings,
    model=DistanceSettings,
    labels=lambda run: {
        "dataset": run.dataset,
        "reference": reference_name(run),
        "experiment": run.experiment,
        "delta_ratio": run.ratio,
    },
    tables={
        "distance": Table(
            heading="Distance between samples and real images",
            explanation=(
                "Distances of n images from the reference (the training images unless stated), with 95 % intervals. "
                "“Real, training” is the lower limit: the first n training images against all others. Starts: blurred "
                "training images for heat, noise for diffusion. Precision: share of samples within the real manifold. "
                "Recall: share of real images within the manifold of samples. Density and coverage are less sensitive "
                "to outliers. n → ∞ needs more than four images per feature. Only distances in Inception's features "
                "are called FID and KID."
            ),
            summarize=summarize_distances,
            made_by=("distance_real", "samples"),
            notes=(
                "| `metric` | meaning | best | null |\n|---|---|---|---|\n| `frechet_distance` | between Gaussians "
                "with the means and covariances of the sets: ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½) | 0 | rows of "
                "`train` |\n| `kernel_distance` | squared maximum mean discrepancy with the kernel (x·y/dim + 1)³, "
                "unbiased; may be slightly negative | 0 | 0, and rows of `train` |\n| `precision` | share of samples "
                "within the manifold of real images | 1 | rows of `train` |\n| `recall` | share of real images within "
                "the manifold of samples | 1 | rows of `train` |\n| `density` | mean number of real balls around a "
                "sample, over the number of neighbors; may exceed one | 1 | rows of `train` |\n| `coverage` | share "
                "of real images whose ball contains a sample | 1 | rows of `train` |\n| "
                "`frechet_distance_extrapolated` | estimate for n → ∞; only with `extrapolate` and four images per "
                "feature | 0 | 0 |\n\nIn Inception's features, the first two are called `fid` and `kid`, and the last "
                "`fid_extrapolated`. A manifold is the union of balls around images, each reaching to the fifth "
                "nearest neighbor (`num_neighbors`). Precision, recall, density and coverage use as many reference "
                "images as the set has.\n\nRows of `train` are the lower limit: the first n training images against "
                "all others. `test` is held-out images against the reference. Errors: a jackknife for the Fréchet "
                "distance, closed form for the kernel distance, and those of a mean over images, with fixed "
                "manifolds, for the other four."
            ),
        ),
        "spectrum": Table(
            heading="Power of samples by frequency band",
            explanation=(
                "Power in four bands of spatial frequency relative to training images: below one samples are "
                "over-smoothed, above one they contain high-frequency noise. More sampling noise δ gives more detail."
            ),
            columns={
                "metric": "`relative_power`, or `spectral_distance`",
                "band": "`low`, `middle`, `high`, `highest`, or `all`",
                "low_frequency, high_frequency": "the band [radians per pixel]",
            },
            summarize=summarize_spectra,
            made_by=("spectrum_real", "samples"),
            notes=(
                "`relative_power` is the mean power in a band over that of training images; one is right. "
                "`spectral_distance` is √(mean over frequencies of (ln P − ln P_real)²); zero is right. Null: rows of "
                "`train`, the first training images against the others. The error of the power is that of a mean over "
                "images; that of the distance comes from resampling."
            ),
        ),
    },
    gpu="features",
    memory_mb=16000,
    minutes=1440,
)
