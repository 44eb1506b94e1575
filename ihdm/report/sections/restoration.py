"""Pictures from measurements of them."""

import pandas as pd

from ihdm.config.scale import Config
from ihdm.measures.texts import interval_texts

HEADING = "How well are pictures restored?"
EXPLANATION = (
    "Test images that were blurred, made smaller, hidden in parts or covered with noise, restored by the network "
    "and by methods without one, each tuned on other images: one sample of the posterior, the mean of several, or "
    "an estimate that comes without samples. PSNR and SSIM: the higher, the nearer the truth; the mean of samples "
    "is nearer than one of them, without looking better. Consistency: how far from the measurement, one if as far "
    "as its noise asks for. Spread: error of the mean over what samples differ by, one if they are as unsure as "
    "they should be. Fréchet distance from the test images, that of the truth being the floor. With 95 % intervals "
    "over images. Ours, not the paper's."
)
NAMES = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "consistency": "consistency",
    "spread": "spread",
    "frechet_distance": "Fréchet distance",
    "fid": "FID",
}


def parts(config: Config) -> list[str]:
    """Return one table for each experiment whose network restores."""
    return [f"metrics/restoration/{experiment}.csv" for experiment in config.restoration]


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment, measurement, method and kind of result."""
    index = ["experiment", "problem", "method", "result"]
    wide = table.assign(text=interval_texts(table)).pivot_table(
        index=index, columns="metric", values="text", aggfunc="first", sort=False
    )
    known = [metric for metric in NAMES if metric in wide.columns]
    return wide[known].fillna("").rename(columns=NAMES).rename_axis(columns=None).reset_index()
