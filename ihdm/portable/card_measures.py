"""The measures on a model card, as Markdown."""

import pandas as pd

from ihdm.metrics.estimates import half_widths
from ihdm.metrics.quality import IMAGES_PER_FEATURE, NAMES, is_biased, num_features

MEASURES = {
    "fid": "FID",
    "kid": "KID",
    "frechet_distance": "Fréchet distance",
    "kernel_distance": "kernel distance",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}


def distance_lines(table: pd.DataFrame) -> list[str]:
    """Return distances of samples as a Markdown table.

    Args:
        table: distances from ``metrics samples``; those of other sets than samples are left out.

    Returns:
        The lines; with too few images for the Fréchet distance, the last says so.
    """
    rows = table[(table["set"] == "samples") & table["metric"].isin(MEASURES)]
    lines = [
        "| measure | value | 95 % interval | features | n | against | δ/σ |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows.to_dict("records"):
        ratio = row.get("delta_ratio")
        lines.append(
            f"| {MEASURES[row['metric']]} | {row['value']:.4g} | {row['low']:.4g} … {row['high']:.4g} | "
            f"{row['extractor']} | {row['n']} | {row['n_reference']} {row.get('reference', 'training')} images | "
            f"{'' if ratio is None or pd.isna(ratio) else f'{float(ratio):g}'} |"
        )
    frechet = rows[rows["metric"].isin(NAMES["frechet_distance"])]
    few = [name for name, n in zip(frechet["extractor"], frechet["n"], strict=True) if is_biased(name, n)]
    if few:
        least = IMAGES_PER_FEATURE * num_features(few[0])
        lines += [
            "",
            f"The bias of the Fréchet distance with fewer than {least} images is larger than most differences between "
            "models; compare models by the kernel distance.",
        ]
    return lines


def likelihood_lines(table: pd.DataFrame) -> list[str]:
    """Return the best bound of a table of ``metrics likelihood``, as a line."""
    best = table.assign(half=half_widths(table)).sort_values("bits_per_dim").iloc[0]
    return [
        "",
        f"Bound on test images: {best['bits_per_dim']:.3f} ± {best['half']:.3f} bits per dimension "
        f"(n = {int(best['n'])}, δ/σ = {best['delta_ratio']:g}).",
    ]
