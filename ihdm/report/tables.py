"""Tables for a paper, from merged tables and the configuration, as CSV, Markdown and LaTeX."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from ihdm.config.experiments import Variant
from ihdm.config.scale import Config
from ihdm.measures import reported
from ihdm.measures.texts import estimate_text
from ihdm.metrics.estimates import half_widths
from ihdm.metrics.tables import swept_parameters, with_most_images

Merged = Mapping[str, pd.DataFrame]
ENDINGS = (".csv", ".md", ".tex")
NOTHING = "–"
FRECHET = {"frechet_distance": "Fréchet distance", "fid": "FID"}


@dataclass(frozen=True)
class Published:
    """A published FID.

    Attributes:
        source: source of the images, as in `ihdm data sources`.
        image_size: image size in pixels.
        kind: the `process.kind`; empty for a process that is not implemented here.
        fid: the FID.
        by: the publication or method.
    """

    source: str
    image_size: int
    kind: str
    fid: float
    by: str

    def concerns(self, variant: Variant) -> bool:
        """Return whether an experiment has the same images and kind of process, and no swept parameter."""
        dataset, kind = variant.experiment.dataset, variant.experiment.process.kind
        found = (dataset.source, dataset.image_size, kind)
        return variant.swept is None and found == (self.source, self.image_size, self.kind)

    @property
    def columns(self) -> dict[str, str]:
        """Its columns of the table of distances."""
        return {"published FID": f"{self.fid:.2f}", "published by": self.by}


PUBLISHED = (
    Published("cifar10", 32, "heat", 18.96, "IHDM, the paper"),
    Published("cifar10", 32, "diffusion", 3.17, "DDPM"),
    Published("cifar10", 32, "blurring", 3.17, "Blurring Diffusion"),
    Published("cifar10", 32, "", 3.86, "Soft Diffusion"),
    Published("lsun_church", 128, "heat", 45.06, "IHDM, the paper"),
    Published("lsun_church", 128, "heat", 119.34, "IHDM, retrained for Edge-preserving noise"),
    Published("ffhq", 128, "heat", 55.87, "IHDM, retrained for Beyond Blur"),
)
"""Values from the original publications, or cited there, for data sets with a source here.

Cold Diffusion's 80.08 is omitted: it is the FID of deblurred images.
"""


@dataclass(frozen=True)
class PaperTable:
    """A table for a paper.

    Attributes:
        caption: its caption.
        needs: the merged tables that it needs.
        build: returns its cells as text from the scale and these tables.
    """

    caption: str
    needs: tuple[str, ...]
    build: Callable[[Config, Merged], pd.DataFrame]


def distances(config: Config, merged: Merged) -> pd.DataFrame:
    """Return distances, one row per experiment and δ/σ, with published FIDs in separate columns."""
    table = merged["distance"]
    samples = with_most_images(table[(table["set"] == "samples") & table["metric"].isin(FRECHET)])
    rows, shown = [], set()
    for row in samples.assign(half=half_widths(samples)).to_dict("records"):
        variant = config.variants[row["experiment"]]
        dataset = variant.experiment.dataset
        known = next((published for published in PUBLISHED if published.concerns(variant)), None)
        if known:
            shown.add((known.source, known.image_size, known.by))
        rows.append(
            {
                "images": _images(dataset.source, dataset.image_size),
                "process": variant.experiment.process.kind,
                "experiment": variant.name,
                "sampler": variant.sampler,
                "δ/σ": _ratio(row["delta_ratio"], variant),
                "n": str(row["n"]),
                "features": row["extractor"],
                "measure": FRECHET[row["metric"]],
                "ours": estimate_text(row["value"], row["half"]),
            }
            | (known.columns if known else {})
        )
    rows += [
        {"images": _images(one.source, one.image_size), "process": one.kind or NOTHING} | one.columns
        for one in PUBLISHED
        if (one.source, one.image_size, one.by) not in shown
    ]
    return pd.DataFrame(rows).fillna(NOTHING)


def _images(source: str, size: int) -> str:
    return f"{source} {size}×{size}"


def _ratio(ratio: float, variant: Variant) -> str:
    return f"{ratio:g}" if variant.sampling.uses_delta else NOTHING


def hyperparameters(config: Config, _: Merged) -> pd.DataFrame:
    """Return the hyperparameters of each trained network."""
    rows = []
    for name, variant in config.variants.items():
        if not variant.is_trained:
            continue
        experiment = variant.experiment
        process, network, training = experiment.process, experiment.network, experiment.training
        rows.append(
            {
                "experiment": name,
                "process": process.kind,
                "K": process.num_levels,
                "σ": getattr(process, "sigma", NOTHING),
                "σ_B,max": getattr(process, "blur_sigma_max", NOTHING),
                "size": f"{network.image_size}×{network.image_size}×{network.image_channels}",
                "width": network.base_channels,
                "multipliers": ", ".join(map(str, network.channel_multipliers)),
                "blocks": network.blocks_per_stage,
                "attention": ", ".join(map(str, network.attention_stages)) or NOTHING,
                "dropout": network.dropout,
                "images": experiment.num_train or "all",
                "steps": training.steps,
                "batch": training.batch_size,
                "learning rate": training.learning_rate,
                "warm-up": training.warmup_steps,
                "decay": training.learning_rate_decay,
                "EMA": training.ema_decay,
                "precision": training.mixed_precision if training.mixed_precision != "no" else "fp32",
            }
        )
    return pd.DataFrame(rows).astype(str)


def sweeps(config: Config, merged: Merged) -> pd.DataFrame:
    """Return distance and bound for each swept value and δ/σ."""
    table = merged["sweep"]
    rows = []
    for base in config.experiments:
        for parameter, family in swept_parameters(table, base).items():
            family = family.assign(half=half_widths(family))
            measured = with_most_images(family[(family["set"] == "samples") & family["metric"].isin(FRECHET)])
            bounds = family[family["metric"] == "bits_per_dim"].set_index(["experiment", "delta_ratio"])
            for row in measured.sort_values([parameter, "delta_ratio"]).to_dict("records"):
                variant, key = config.variants[row["experiment"]], (row["experiment"], row["delta_ratio"])
                bound = bounds.loc[key] if key in bounds.index else None
                rows.append(
                    {
                        "experiment": base,
                        "swept": parameter,
                        "value": f"{row[parameter]:g}",
                        "δ/σ": _ratio(row["delta_ratio"], variant),
                        "measure": FRECHET[row["metric"]],
                        "distance": estimate_text(row["value"], row["half"]),
                        "bits/dim": NOTHING if bound is None else estimate_text(bound["value"], bound["half"]),
                    }
                )
    columns = ["experiment", "swept", "value", "δ/σ", "measure", "distance", "bits/dim"]
    return pd.DataFrame(rows, columns=columns)


def _section(name: str) -> Callable[[Config, Merged], pd.DataFrame]:
    return lambda _, merged: reported()[name].summarize(merged[name]).astype(str)


PAPER_TABLES = {
    "distances": PaperTable(
        "Fréchet distances of samples from the reference, with 95 % intervals, and published FIDs in a column of their "
        "own: ours are FIDs only in Inception's features. A dash: nothing was run, or nothing is published.",
        ("distance",),
        distances,
    ),
    "hyperparameters": PaperTable("What networks were trained with, from the configuration.", (), hyperparameters),
    "likelihood": PaperTable(reported()["likelihood"].explanation, ("likelihood",), _section("likelihood")),
    "sweeps": PaperTable(
        "What was swept in training: Fréchet distance and the paper's bound, with 95 % intervals over images.",
        ("sweep",),
        sweeps,
    ),
    "evaluations": PaperTable(reported()["evaluations"].explanation, ("evaluations",), _section("evaluations")),
    "departures": PaperTable(reported()["departures"].explanation, ("departures",), _section("departures")),
}
"""Tables by name."""


def available(names: set[str]) -> dict[str, tuple[str, ...]]:
    """Return the tables that these merged tables allow, each with the merged tables that it needs."""
    return {name: table.needs for name, table in PAPER_TABLES.items() if {*table.needs} <= names}


def printed(table: pd.DataFrame, caption: str, name: str) -> dict[str, str]:
    """Return a table as CSV (without caption), Markdown and LaTeX with booktabs, by the ending of the file.

    Args:
        table: cells as text.
        caption: its caption.
        name: its label in LaTeX.
    """
    label = name.replace("_", "-")
    styled = table.rename(columns=_latex).map(lambda cell: _latex(str(cell))).style.hide(axis="index")
    return {
        ".csv": table.to_csv(index=False),
        ".md": f"{caption}\n\n{table.to_markdown(index=False, disable_numparse=True)}\n",
        ".tex": "% needs \\usepackage{booktabs}\n"
        + styled.to_latex(hrules=True, caption=_latex(caption), label=f"tab:{label}", position_float="centering"),
    }


LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "σ": r"$\sigma$", "δ": r"$\delta$", "Σ": r"$\Sigma$",
    "±": r"$\pm$", "×": r"$\times$", "–": "--", "−": "$-$", "→": r"$\to$", "∞": r"$\infty$", "…": r"\ldots{}",
    "“": "``", "”": "''", "≥": r"$\geq$", "α": r"$\alpha$", "²": r"\textsuperscript{2}",
}  # fmt: skip
"""Replacements of letters that LaTeX cannot read without packages."""


def _latex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in text)
