"""The summary page: the joint tables, rounded for reading, each with a sentence on what it says."""

import math
from collections.abc import Mapping
from html import escape

import pandas as pd

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h2 { margin-top: 2.2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.8rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
thead th { border-bottom: 2px solid #888; }
tbody th, td:first-child { text-align: left; }
p { max-width: 46rem; }
"""

SETS = {"samples": "samples", "starts": "starts (blurred)", "train": "real, training", "test": "real, held out"}


def estimate_text(value: float, half_width: float) -> str:
    """Return ``value ± half_width``, both to the second significant digit of the half-width."""
    digits = max(0, 1 - math.floor(math.log10(half_width))) if half_width > 0 else 3
    return f"{value:.{digits}f} ± {half_width:.{digits}f}"


def levels_summary(levels: pd.DataFrame) -> pd.DataFrame:
    """Return for each experiment at how many levels the network beats f = 0, and by what factor."""
    rows = []
    for experiment, table in levels.groupby("experiment", sort=False):
        ratio = table["loss"] / table["baseline"]
        rows.append(
            {
                "experiment": experiment,
                "levels": len(table),
                "below f = 0": int((ratio < 1).sum()),
                "smallest ratio": f"{ratio.min():.3f}",
                "median ratio": f"{ratio.median():.3f}",
                "largest ratio": f"{ratio.max():.3f}",
            }
        )
    return pd.DataFrame(rows)


def _estimates(table: pd.DataFrame, keys: list[str], columns: str) -> pd.DataFrame:
    """Return one row for each set of images and a column for each value of ``columns``, estimates written out."""
    table = table.assign(
        experiment=table["experiment"].fillna("–"),
        images=table["set"].map(SETS),
        ratio=table["delta_ratio"].map("{:g}".format).replace("nan", "–"),
        text=[estimate_text(value, high - value) for value, high in zip(table["value"], table["high"], strict=True)],
    )
    keys = ["dataset", "experiment", "images", "ratio", *keys, "n"]
    wide = table.pivot_table(index=keys, columns=columns, values="text", aggfunc="first", sort=False).reset_index()
    return wide.rename(columns={"images": "set", "ratio": "δ/σ"}).rename_axis(columns=None)


def distance_summary(distance: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each set of images, with both distances and their 95 % intervals."""
    names = {
        "feature_space": "features",
        "frechet_distance": "Fréchet distance",
        "kernel_distance": "kernel distance",
    }
    return _estimates(distance, ["feature_space"], "metric").rename(columns=names)


def spectrum_summary(spectrum: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each set of images, with its power relative to real in each band."""
    return _estimates(spectrum, [], "band")


def likelihood_summary(likelihood: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and δ, with the bound and its terms."""
    return pd.DataFrame(
        {
            "experiment": likelihood["experiment"],
            "δ/σ": likelihood["delta_ratio"].map("{:g}".format),
            "n": likelihood["n"],
            "bits/dim": [
                estimate_text(value, 1.96 * error)
                for value, error in zip(likelihood["bits_per_dim"], likelihood["standard_error"], strict=True)
            ],
            "nats": likelihood["nats"].map("{:.1f}".format),
            "L_K": likelihood["prior_nats"].map("{:.1f}".format),
            "Σ L_k": likelihood["transition_nats"].map("{:.1f}".format),
            "L_0": likelihood["reconstruction_nats"].map("{:.1f}".format),
        }
    )


def disentanglement_summary(disentanglement: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and quantity, with the shares of variance."""
    table = disentanglement.copy()
    for share in ("start", "noise", "interaction"):
        table[share] = [f"{100 * value:.2f} %" for value in table[share]]
    table["grid"] = [f"{row.num_starts} × {row.num_noises}" for row in table.itertuples()]
    return table[["experiment", "quantity", "grid", "start", "noise", "interaction"]]


SECTIONS = {
    "levels": (
        "Does the network deblur?",
        "Held-out loss at each level k, as a ratio to that of predicting f = 0, which leaves the image as blurred and "
        "as noisy as it is. Below one, the network helps.",
        levels_summary,
    ),
    "distance": (
        "How close are samples to real images?",
        "Distances to the training images after the first n, with 95 % bootstrap intervals; every row compares n "
        "images. “Real, training”, the first n, is the floor. Starts are the blurred training images that sampling "
        "begins with. Crops of photos overlap and are not independent, so their intervals are somewhat too narrow. "
        "The features are not Inception's, so neither column is an FID or a KID.",
        distance_summary,
    ),
    "spectrum": (
        "How much detail do samples have?",
        "Power in four bands of spatial frequency relative to training images: below one is too smooth, above one "
        "too grainy. More sampling noise δ gives more detail.",
        spectrum_summary,
    ),
    "likelihood": (
        "How likely are held-out images?",
        "Upper bound on the negative log-likelihood of dequantised test images, with 95 % intervals, and its three "
        "parts in nats. δ = 0 has no likelihood. The digits have only 17 grey levels, so their bits per dimension "
        "are not comparable with other data.",
        likelihood_summary,
    ),
    "disentanglement": (
        "What comes from the start, what from the noise?",
        "Every start is sampled with every noise. Shares of the variance of the mean colour, and of the structure "
        "that remains without it, from a two-way analysis of variance corrected for degrees of freedom.",
        disentanglement_summary,
    ),
}


def summary_page(tables: Mapping[str, pd.DataFrame], title: str) -> str:
    """Return the summary as one self-contained HTML page.

    Args:
        tables: joint tables by name, those of ``SECTIONS`` or some of them.
        title: heading of the page.
    """
    parts = []
    for name, (heading, explanation, summarise) in SECTIONS.items():
        if name in tables:
            table = summarise(tables[name]).to_html(index=False, border=0, justify="right")
            parts.append(f"<h2>{escape(heading)}</h2>\n<p>{escape(explanation)}</p>\n{table}")
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )
