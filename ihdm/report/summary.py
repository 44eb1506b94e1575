"""The summary page: the joint tables, rounded for reading, each with a sentence on what it says."""

import math
from collections.abc import Mapping, Sequence
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
    """Return ``value ± half_width``, both to the second significant digit of the half-width; a dash for none.

    A value without error stands alone.
    """
    if math.isnan(value):
        return "–"
    if math.isnan(half_width):
        return f"{value:.3f}"
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
        "extractor": "features",
        "frechet_distance": "Fréchet distance",
        "frechet_distance_extrapolated": "Fréchet, n → ∞",
        "kernel_distance": "kernel distance",
        "fid": "FID",
        "fid_extrapolated": "FID, n → ∞",
        "kid": "KID",
        "note": "",
    }
    table = distance.assign(note=distance["note"].fillna(""))
    return _estimates(table, ["extractor", "note"], "metric").rename(columns=names).fillna("–")


def memorisation_summary(memorisation: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each set of images and space: distance to the nearest training image, and share near one."""
    names = {"extractor": "space", "nearest_distance": "nearest training image", "share_near": "share near one"}
    return _estimates(memorisation, ["extractor"], "metric").rename(columns=names)


def spectrum_summary(spectrum: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each set of images, with its power relative to real in each band."""
    return _estimates(spectrum, [], "band").rename(columns={"all": "spectral distance"})


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
            "± by noise alone": (1.96 * likelihood["monte_carlo_error"]).map("{:.4f}".format),
            **{
                heading: [
                    estimate_text(value, 1.96 * error)
                    for value, error in zip(likelihood[column], likelihood[f"{column}_error"], strict=True)
                ]
                for heading, column in (
                    ("nats", "nats"),
                    ("L_K", "prior_nats"),
                    ("Σ L_k", "transition_nats"),
                    ("L_0", "reconstruction_nats"),
                )
            },
            "nats, best δ each level": likelihood["nats_best_levels"].map("{:.1f}".format),
        }
    )


def cost_summary(cost: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and way to spend evaluations."""
    return pd.DataFrame(
        {
            "experiment": cost["experiment"],
            "levels and draws": cost["design"],
            "δ/σ": cost["delta_ratio"].map("{:g}".format),
            "evaluations for 0.01 bits/dim": cost["evaluations"].map("{:,.0f}".format),
            "times fewer": cost["times_fewer"].map("{:.1f}".format),
        }
    )


def minimum_summary(minimum: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each experiment and curve, with the interval of its minimum or that it is flat."""
    names = {"frechet_distance": "Fréchet distance", "kernel_distance": "kernel distance", "bits_per_dim": "bits/dim"}
    places = {
        "inside": "{delta_ratio:g}, in {low:g} … {high:g}",
        "edge": "{delta_ratio:g}, in {low:g} … {high:g} or beyond what was tried",
        "flat": "flat within error",
    }
    return pd.DataFrame(
        {
            "experiment": minimum["experiment"],
            "curve": minimum["metric"].replace(names).replace({"fid": "FID", "kid": "KID"}),
            "n": minimum["n"],
            "lowest at δ/σ": [places[row["verdict"]].format_map(row) for row in minimum.to_dict("records")],
            "tried": [f"{row.first_ratio:g} … {row.last_ratio:g} ({row.num_ratios})" for row in minimum.itertuples()],
            "value there": minimum["value"].map("{:.4g}".format),
        }
    )


def departures_summary(departures: pd.DataFrame) -> pd.DataFrame:
    """Return one row for each departure and measure."""
    return pd.DataFrame(
        {
            "experiment": departures["experiment"],
            "setting": departures["setting"],
            "described": departures["described"],
            "variant": departures["variant"],
            "δ/σ": departures["delta_ratio"].map("{:g}".format),
            "measure": departures["metric"].str.replace("_", " "),
            "described gives": departures["value_described"].map("{:.4g}".format),
            "variant gives": departures["value_variant"].map("{:.4g}".format),
            "difference": [
                estimate_text(value, 1.96 * error)
                for value, error in zip(departures["difference"], departures["standard_error"], strict=True)
            ],
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
        "Distances of n images from the training images, with 95 % intervals. “Real, training” is the floor: "
        "the first n training images against all others. Starts are the blurred training images that sampling begins "
        "with. Precision: share of samples within the real manifold; recall: share of real images within that "
        "of samples; density and coverage are their sturdier kin. Crops of photos overlap and are not independent, so "
        "their intervals are somewhat too narrow. The column n → ∞ needs more than four "
        "images for each feature. Only distances in the features of Inception are called FID and KID.",
        distance_summary,
    ),
    "memorisation": (
        "Are training images repeated?",
        "Distance to the nearest training image, in pixels and in features. Near one: nearer than 95 % of held-out "
        "images come, so 5 % of these are by definition. A model that repeats training images has far more. Held-out "
        "photos come from regions that training has not seen, so samples may well lie nearer without repeating "
        "anything.",
        memorisation_summary,
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
    "likelihood_cost": (
        "What does the likelihood cost?",
        "Network evaluations that bring the error from noise to 0.01 bits per dimension, test images given. Uniform "
        "random levels, one for each image, are the plain way; every level in turn, the control variate and levels "
        "drawn by their variance make less do.",
        cost_summary,
    ),
    "minimum": (
        "At which noise is sampling best?",
        "Where distance and bound are lowest over δ/σ, with 95 % intervals: for distances from the values' standard "
        "errors at the δ that were sampled, for the bound from resampling test images on a grid of step 0.01 or finer. "
        "A minimum may lie between values, so the interval reaches to the neighbouring ones. At the edge: the lowest "
        "value may be the first or last that was tried, and the true minimum beyond it.",
        minimum_summary,
    ),
    "departures": (
        "What do the released code's departures do?",
        "Each variant against the described, all else equal, with 95 % intervals of the difference. Levels as "
        "released: level K is never trained; that is another training, and what two trainings differ in anyway is not "
        "in the interval. Prior noise none: starts without noise. Rounding truncate: images a little darker.",
        departures_summary,
    ),
    "disentanglement": (
        "What comes from the start, what from the noise?",
        "Every start is sampled with every noise. Shares of the variance of the mean colour, and of the structure "
        "that remains without it, from a two-way analysis of variance corrected for degrees of freedom.",
        disentanglement_summary,
    ),
}


def summary_page(tables: Mapping[str, pd.DataFrame], title: str, notices: Sequence[str] = ()) -> str:
    """Return the summary as one self-contained HTML page.

    Args:
        tables: joint tables by name, those of ``SECTIONS`` or some of them.
        title: heading of the page.
        notices: what must be known before any table is read, a sentence each.
    """
    parts = [f"<p><strong>{escape(notice)}</strong></p>" for notice in notices]
    for name, (heading, explanation, summarise) in SECTIONS.items():
        if name in tables:
            table = summarise(tables[name]).to_html(index=False, border=0, justify="right")
            parts.append(f"<h2>{escape(heading)}</h2>\n<p>{escape(explanation)}</p>\n{table}")
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )
