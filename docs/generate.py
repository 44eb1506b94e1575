"""Regenerate documentation from the code: ``python docs/generate.py``.

It writes whole files, and the parts of README.md and docs/*.md between ``<!-- generated: NAME -->`` and
``<!-- end -->``. ``python docs/generate.py results/quick results/seeds`` stores the verdicts and figures of these runs
first, and the sample quality of all processes with three seeds; ``results/desk`` those of the desk scale.
"""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from pathlib import Path

import pandas as pd
from PIL import Image

from ihdm.claims import CLAIMS
from ihdm.claims.claim import Evidence, deciding, quality
from ihdm.claims.decisions import Measured, Outcome
from ihdm.config.documentation import settings_page
from ihdm.config.reading import config_schema, read_config
from ihdm.config.scale import FIGURES, Config
from ihdm.measures.texts import interval_text, reference

ROOT = Path(__file__).parents[1]
VERDICTS = ROOT / "docs/quick_claims.csv"
"""Number of each verdict in the quick run, per claim."""
VALUES = ROOT / "docs/claim_values.csv"
"""Values and verdicts of claims at every scale that was run."""
PROCESSES = ROOT / "docs/process_values.csv"
"""Sample quality of all processes, with three seeds at the seeds scale."""
IMAGES = ROOT / "docs/assets/figures"
"""All figures of the quick run."""
IMAGE_WIDTH = 1000
"""Width of these images in pixels."""
SHOWN = [Outcome.REPRODUCED, Outcome.INCONCLUSIVE, Outcome.NOT_REPRODUCED]
NUMBERS = ["experiment", "set", "metric", "extractor", "delta_ratio", "n", "value", "standard_error"]
COMPARED = ["id", "experiment", "verdict", "value", "low", "high", "trainings"]
SAMPLERS = {
    "paper": "paper, 1.25 σ",
    "paper_best": "paper, best δ",
    "independent": "independent, measured noise",
    "markov": "Markov, measured noise",
    "deterministic": "deterministic",
    "second": "deterministic, second order",
    "ancestral": "DDPM",
    "ddim": "DDIM",
}
"""Descriptions of the samplers of studies."""
DISTANCES = {"kernel_distance": "kernel distance × 1000", "frechet_distance": "Fréchet distance"}
"""Distances that may rank samples: the Fréchet distance with at least 20 images per feature."""
NOT_RUN = "Not run"
CLAIM_EVIDENCE = "evidence (95 % interval)"
NOT_STORED = "The results of this run are not stored yet."


def figure_table() -> str:
    """Return a table of figures with the first line of each module."""
    rows = (f"| `{name}` | {_described(name)[0].removesuffix('.')} |" for name in FIGURES)
    return "\n".join(["| figure | shows |", "|---|---|", *rows])


def figure_sections() -> str:
    """Return a section per figure: how to read it, from its module, and its caption."""
    return "\n\n".join(
        f'## {name}\n\n{_shown(name)}**Look at:** {_described(name)[1]}\n\n--8<-- "workflow/report/{name}.rst"'
        for name in FIGURES
    )


def _shown(figure: str) -> str:
    """Return the image of a figure as the quick run draws it, if it is stored."""
    path = IMAGES / f"{figure}.webp"
    return f"![{figure} of the quick run]({path.relative_to(ROOT / 'docs')})\n\n" if path.exists() else ""


def claim_table(stored: Path = VALUES) -> str:
    """Return tables of claims, by kind, with the values and verdicts of the quick run.

    Args:
        stored: table written by :func:`keep_values`.
    """
    counts = pd.read_csv(VERDICTS, index_col="id")[SHOWN].reindex(CLAIMS).fillna(0).astype(int)
    values = pd.read_csv(stored).query("scale == 'quick'") if stored.exists() else pd.DataFrame({"id": []})
    parts = []
    for heading, names in _groups(counts).items():
        rows = []
        for name in names:
            found = values[values["id"] == name].to_dict("records")
            evidence = "; ".join(
                f"{row['experiment']} {interval_text(*(row[key] for key in ('value', 'low', 'high')))}" for row in found
            )
            ours = " (ours)" if CLAIMS[name].is_ours and heading == NOT_RUN else ""
            cells = [
                CLAIMS[name].text.removesuffix(".") + ours,
                evidence,
                *(str(count or "") for count in counts.loc[name]),
            ]
            rows.append(f"| {' | '.join(cells)} |")
        head = f"| claim | {CLAIM_EVIDENCE} | {' | '.join(SHOWN)} |"
        parts.append("\n".join([f"### {heading}", "", head, "|---|---|:-:|:-:|:-:|", *rows]))
    return "\n\n".join(parts)


def _groups(counts: pd.DataFrame) -> dict[str, list[str]]:
    """Return the names of claims by kind."""
    groups: dict[str, list[str]] = {"Findings": [], "Our findings": [], "Mathematical checks": [], NOT_RUN: []}
    for name, claim in CLAIMS.items():
        if not counts.loc[name].any():
            groups[NOT_RUN].append(name)
        elif claim.kind == "mathematical check":
            groups["Mathematical checks"].append(name)
        else:
            groups["Our findings" if claim.is_ours else "Findings"].append(name)
    return {heading: names for heading, names in groups.items() if names}


def seeds_claims(stored: Path = VALUES) -> str:
    """Return a table of the claims that the seeds scale decides over several trainings, next to the quick run's values.

    Args:
        stored: table written by :func:`keep_values`.
    """
    scales = _by_scale(stored)
    if "seeds" not in scales:
        return NOT_STORED
    quick = {(row["id"], row["experiment"]): row for row in scales.get("quick", pd.DataFrame()).to_dict("records")}
    seeds = scales["seeds"][scales["seeds"]["trainings"] > 1]
    rows = []
    for name, claim in CLAIMS.items():
        for row in seeds[seeds["id"] == name].to_dict("records"):
            one, several = (
                f"{interval_text(*(found[key] for key in ('value', 'low', 'high')))}: {found['verdict']}"
                if found
                else "–"
                for found in (quick.get((name, row["experiment"])), row)
            )
            text = f"{claim.text.removesuffix('.')}{' (ours)' if claim.is_ours else ''}"
            rows.append(f"| {text} | {row['experiment']} | {one} | {several} | {row['trainings']} |")
    heads = "| claim | experiment | quick run, one training | seeds run | trainings |"
    return "\n".join([heads, "|---|---|---|---|:-:|", *rows])


def _by_scale(stored: Path) -> dict[str, pd.DataFrame]:
    """Return the stored values of each scale."""
    return dict(list(pd.read_csv(stored).groupby("scale"))) if stored.exists() else {}


def desk_claims(stored: Path = VALUES) -> str:
    """Return a table of the findings at the desk scale, next to those of the quick run.

    Args:
        stored: table written by :func:`keep_values`.
    """
    scales = _by_scale(stored)
    if "desk" not in scales:
        return NOT_STORED
    lines = ["| claim | quick run | desk run |", "|---|---|---|"]
    for name, claim in CLAIMS.items():
        cells = [
            "; ".join(
                f"{row['experiment']} {interval_text(row['value'], row['low'], row['high'])}: {row['verdict']}"
                for row in scales[scale][scales[scale]["id"] == name].to_dict("records")
            )
            for scale in ("quick", "desk")
        ]
        if claim.kind == "finding" and cells[1]:
            ours = " (ours)" if claim.is_ours else ""
            lines.append(f"| {claim.text.removesuffix('.')}{ours} | {cells[0] or '–'} | {cells[1]} |")
    return "\n".join(lines)


def process_tables(stored: Path = PROCESSES) -> str:
    """Return a table for each data set of a scale: sample quality of every process and sampler against NFE.

    Args:
        stored: table written by :func:`keep_processes`.
    """
    if not stored.exists():
        return NOT_STORED
    parts = []
    for (scale, dataset), table in pd.read_csv(stored).groupby(["scale", "dataset"], sort=False):
        counts = sorted(table["evaluations"].unique(), reverse=True)
        lines = [
            f"| {dataset} ({scale}, {DISTANCES[table['metric'].iloc[0]]}): process, prediction | sampler | "
            f"NFE {' | '.join(map(str, counts))} |",
            "|---|---|" + "---|" * len(counts),
        ]
        for (process, prediction, sampler), rows in table.groupby(["process", "prediction", "sampler"], sort=False):
            cells = [_quality(rows[rows["evaluations"] == count]) for count in counts]
            lines.append(f"| {process}, {prediction} | {SAMPLERS[str(sampler)]} | {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _quality(rows: pd.DataFrame) -> str:
    """Return the distance with its interval, and the power in the finest band; a dash if not measured."""
    if rows.empty:
        return "–"
    distance, power = rows[["metric", "value", "low", "high"]].itertuples(index=False)
    factor = 1000 if distance.metric == "kernel_distance" else 1
    return f"{interval_text(*(factor * end for end in distance[1:]))}, {power.value:.2f}"


def metric_modules() -> str:
    """Return the API entries of the modules of metrics."""
    names = sorted(path.stem for path in (ROOT / "ihdm/metrics").glob("[a-z]*.py"))
    return "\n".join(f"::: ihdm.metrics.{name}" for name in names)


PARTS: dict[str, Callable[[], str]] = {
    "figures": figure_table,
    "figure sections": figure_sections,
    "claims": claim_table,
    "claims over seeds": seeds_claims,
    "claims at the desk scale": desk_claims,
    "processes over seeds": process_tables,
    "modules of metrics": metric_modules,
    "columns of tables": reference,
}
PART = re.compile(r"^(<!-- generated: ([\w ]+) -->)$.*?^<!-- end -->$", re.M | re.S)
FILES = {"docs/settings.md": settings_page, "workflow/config/config.schema.json": config_schema}


def _described(figure: str) -> list[str]:
    """Return the first line of a figure's docstring, and its paragraph on how to read the figure."""
    text = str(importlib.import_module(f"ihdm.figures.{figure}").__doc__)
    return [" ".join(part.split()) for part in text.split("\n\nLook at: ", 1)]


def generated(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Yield each file with generated content, and its current text."""
    for name, content in FILES.items():
        yield root / name, content()
    for path in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        text = path.read_text(encoding="utf-8")
        yield path, PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n<!-- end -->", text)


def keep(results: Path) -> None:
    """Store what the documentation shows of a run of the quick, the seeds or the desk scale.

    Args:
        results: folder of the results, named ``quick``, ``seeds`` or ``desk``.
    """
    claims = pd.read_csv(results / "report/claims.csv")
    if results.name == "quick":
        keep_verdicts(claims)
        keep_figures(results / "figures")
    elif results.name in ("seeds", "desk"):
        config = read_config(ROOT / f"workflow/config/{results.name}.yaml")
        keep_processes(pd.read_csv(results / "metrics/evaluations.csv"), config, results.name)
    else:
        raise SystemExit(f"{results}: only results of the quick, seeds and desk scales are stored; give results/quick")
    if results.name != "seeds":
        keep_numbers(results)
    keep_values(claims, results.name)


def keep_verdicts(claims: pd.DataFrame) -> None:
    """Store the number of each verdict of the quick run, per claim."""
    counts = pd.crosstab(claims["id"], claims["verdict"]).reindex(CLAIMS).reindex(columns=SHOWN)
    counts.fillna(0).astype(int).to_csv(VERDICTS)


def keep_numbers(results: Path) -> None:
    """Store the numbers of a run that ``make compare`` compares."""
    table = pd.read_csv(results / "metrics/sweep.csv").dropna(subset=["value", "standard_error"])
    numbers = table[NUMBERS].dropna(subset="experiment").drop_duplicates(NUMBERS[:-2], keep=False)
    numbers.to_csv(ROOT / f"docs/{results.name}_numbers.csv", index=False, float_format="%.6g")


def keep_figures(figures: Path) -> None:
    """Store the figures of the quick run as small WebP images."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name in FIGURES:
        with Image.open(figures / f"{name}.png") as image:
            image.thumbnail((IMAGE_WIDTH, image.height))
            image.convert("RGB").save(IMAGES / f"{name}.webp", quality=80, method=6)


def keep_values(claims: pd.DataFrame, scale: str, stored: Path = VALUES) -> None:
    """Store values and verdicts of the claims that a scale decides; those of other scales stay."""
    found = claims.loc[claims["p"].notna(), COMPARED].assign(scale=scale)
    others = pd.read_csv(stored).query("scale != @scale") if stored.exists() else found.iloc[:0]
    pd.concat([others, found]).to_csv(stored, index=False, float_format="%.6g")


def keep_processes(table: pd.DataFrame, config: Config, scale: str, stored: Path = PROCESSES) -> None:
    """Store the sample quality of every studied process and sampler; that of other scales stays.

    Intervals are Student's over trainings, or over images where there is one training.

    Args:
        table: the merged table `evaluations` of a scale, of which experiments may be missing.
        config: the scale.
        scale: its name.
        stored: where it is written.
    """
    evidence, rows = Evidence({"evaluations": table}, config), []

    def measured(name: str, metric: str, columns: dict[str, object]) -> Measured:
        if metric == "distance":
            return quality(evidence.rows("evaluations", experiment=name, **columns))
        return evidence.one("evaluations", experiment=name, metric="relative_power_highest", **columns)

    for name, study in config.studies.items():
        variant = config.variants[name]
        used = table.loc[table["experiment"] == name, "sampler"].unique() if variant.swept is None else ()
        for sampler, count, metric in product(used, study.counts, ("distance", "power")):
            columns = {"sampler": sampler, "evaluations": count}
            found = evidence.over_trainings(name, partial(measured, metric=metric, columns=columns))
            named = {"dataset": variant.dataset, "process": variant.experiment.process.kind}
            kind = (
                metric
                if metric == "power"
                else deciding(evidence.rows("evaluations", experiment=name, **columns))["metric"]
            )
            named |= {"prediction": variant.experiment.predicted.kind, **columns, "metric": kind}
            ends = {"value": found.value, "low": found.low, "high": found.high, "trainings": found.trainings}
            rows.append(named | ends | {"scale": scale})
    found = pd.DataFrame(rows)
    others = pd.read_csv(stored).query("scale != @scale") if stored.exists() else found.iloc[:0]
    pd.concat([others, found]).to_csv(stored, index=False, float_format="%.6g")


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        keep(Path(folder))
    for path, text in generated():
        path.write_text(text, encoding="utf-8")
