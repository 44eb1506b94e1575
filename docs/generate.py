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
from typing import Any

import pandas as pd
from PIL import Image

from ihdm.claims import CLAIMS
from ihdm.claims.claim import Evidence, deciding, quality
from ihdm.claims.decisions import Measured, Outcome
from ihdm.config.documentation import settings_page
from ihdm.config.processes import AnyProcess
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
    "markov_half": "Markov, measured noise, p = 0.5",
    "deterministic": "deterministic",
    "second": "deterministic, second order",
    "ancestral": "DDPM",
    "ddim": "DDIM",
    "ddim_quadratic": "DDIM, p = 2",
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
    """Return a section per figure: its image from the quick run if stored, how to read it, and its caption."""
    parts = []
    for name in FIGURES:
        parts.append(f"## {name}")
        if (IMAGES / f"{name}.webp").exists():
            parts.append(f"![{name} of the quick run](assets/figures/{name}.webp)")
        parts += [f"**Look at:** {_described(name)[1]}", f'--8<-- "workflow/report/{name}.rst"']
    return "\n\n".join(parts)


def claim_table(stored: Path = VALUES) -> str:
    """Return tables of claims, by kind, with the values and verdicts of the quick run.

    Args:
        stored: table written by :func:`keep_values`.
    """
    counts = pd.read_csv(VERDICTS, index_col="id")[SHOWN].reindex([*CLAIMS]).fillna(0).astype(int)
    values = _values("quick", stored)
    groups: dict[str, list[str]] = {"Findings": [], "Our findings": [], "Mathematical checks": [], NOT_RUN: []}
    for name, claim in CLAIMS.items():
        heading = "Mathematical checks" if claim.kind == "mathematical check" else "Findings"
        if not counts.loc[name].any():
            heading = NOT_RUN
        elif heading == "Findings" and claim.is_ours:
            heading = "Our findings"
        evidence = "; ".join(f"{row['experiment']} {_estimate(row)}" for row in values.get(name, ()))
        statement = _statement(name) if heading == NOT_RUN else claim.text.removesuffix(".")
        cells = [statement, evidence, *(str(count or "") for count in counts.loc[name])]
        groups[heading].append(f"| {' | '.join(cells)} |")
    head = f"| claim | {CLAIM_EVIDENCE} | {' | '.join(SHOWN)} |\n|---|---|:-:|:-:|:-:|"
    return "\n\n".join("\n".join([f"### {heading}\n\n{head}", *rows]) for heading, rows in groups.items() if rows)


def seeds_claims(stored: Path = VALUES) -> str:
    """Return a table of the claims that the seeds scale decides over several trainings, next to the quick run's values.

    Args:
        stored: table written by :func:`keep_values`.
    """
    seeds, quick = _values("seeds", stored), _values("quick", stored)
    lines = ["| claim | experiment | quick run, one training | seeds run | trainings |", "|---|---|---|---|:-:|"]
    for name, rows in seeds.items():
        one = {row["experiment"]: _decided(row) for row in quick.get(name, ())}
        lines += [
            f"| {_statement(name)} | {row['experiment']} | {one.get(row['experiment'], '–')} | {_decided(row)} | "
            f"{row['trainings']} |"
            for row in rows
            if row["trainings"] > 1
        ]
    return "\n".join(lines) if seeds else NOT_STORED


def desk_claims(stored: Path = VALUES) -> str:
    """Return a table of the findings at the desk scale, next to those of the quick run.

    Args:
        stored: table written by :func:`keep_values`.
    """
    desk, quick = _values("desk", stored), _values("quick", stored)
    lines = ["| claim | quick run | desk run |", "|---|---|---|"]
    for name, rows in desk.items():
        if CLAIMS[name].kind == "finding":
            cells = ["; ".join(map(_compared, found)) for found in (quick.get(name, ()), rows)]
            lines.append(f"| {_statement(name)} | {cells[0] or '–'} | {cells[1]} |")
    return "\n".join(lines) if desk else NOT_STORED


def _values(scale: str, stored: Path) -> dict[str, list[Any]]:
    """Return the stored decisions of a scale by claim, in the order of claims."""
    table = pd.read_csv(stored) if stored.exists() else pd.DataFrame(columns=[*COMPARED, "scale"])
    rows = table[table["scale"] == scale].to_dict("records")
    by_claim = {name: [row for row in rows if row["id"] == name] for name in CLAIMS}
    return {name: found for name, found in by_claim.items() if found}


def _statement(name: str) -> str:
    return f"{CLAIMS[name].text.removesuffix('.')}{' (ours)' if CLAIMS[name].is_ours else ''}"


def _estimate(row: Any) -> str:  # noqa: ANN401 (a row of a table)
    return interval_text(row["value"], row["low"], row["high"])


def _decided(row: Any) -> str:  # noqa: ANN401 (a row of a table)
    return f"{_estimate(row)}: {row['verdict']}"


def _compared(row: Any) -> str:  # noqa: ANN401 (a row of a table)
    trainings = f" ({row['trainings']} trainings)" if row["trainings"] > 1 else ""
    return f"{row['experiment']} {_decided(row)}{trainings}"


def process_tables(stored: Path = PROCESSES) -> str:
    """Return a table for each data set of a scale: sample quality of every process and sampler against NFE.

    Args:
        stored: table written by :func:`keep_processes`.
    """
    if not stored.exists():
        return NOT_STORED
    parts = []
    known = pd.read_csv(stored).sort_values("scale", ascending=False, kind="stable")
    for (scale, dataset), table in known.groupby(["scale", "dataset"], sort=False):
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
    counts = pd.crosstab(claims["id"], claims["verdict"]).reindex([*CLAIMS]).reindex(columns=SHOWN)
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
    _store(claims.loc[claims["p"].notna(), COMPARED].assign(scale=scale), scale, stored)


def _store(rows: pd.DataFrame, scale: str, stored: Path) -> None:
    kept = pd.read_csv(stored) if stored.exists() else rows.iloc[:0]
    pd.concat([kept[kept["scale"] != scale], rows]).to_csv(stored, index=False, float_format="%.6g")


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
    for name, study in config.studies.items():
        variant = config.variants[name]
        used = table.loc[table["experiment"] == name, "sampler"].unique() if variant.swept is None else ()
        for sampler, count in product(used, study.counts):
            columns = {"sampler": sampler, "evaluations": count}
            named = {"dataset": variant.dataset, "process": _process(variant.experiment.process)}
            named |= {"prediction": variant.experiment.predicted.kind, **columns}
            kind = deciding(evidence.rows("evaluations", experiment=name, **columns))["metric"]
            for metric, measure in ((kind, _distance), ("power", _power)):
                found = evidence.over_trainings(name, partial(measure, evidence, columns=columns))
                ends = {"value": found.value, "low": found.low, "high": found.high, "trainings": found.trainings}
                rows.append(named | {"metric": metric} | ends | {"scale": scale})
    _store(pd.DataFrame(rows), scale, stored)


def _process(process: AnyProcess) -> str:
    """Return the kind of a process, with its schedule if that is not the default."""
    own = process.model_dump(include={"schedule"}, exclude_defaults=True)
    return " ".join([process.kind, *own.values()]).replace("_", " ")


def _distance(evidence: Evidence, name: str, columns: dict[str, object]) -> Measured:
    return quality(evidence.rows("evaluations", experiment=name, **columns))


def _power(evidence: Evidence, name: str, columns: dict[str, object]) -> Measured:
    return evidence.one("evaluations", experiment=name, metric="relative_power_highest", **columns)


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        keep(Path(folder))
    for path, text in generated():
        path.write_text(text, encoding="utf-8")
