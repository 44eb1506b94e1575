"""Regenerate documentation from the code: ``python docs/generate.py``.

It writes whole files, and the parts of README.md and docs/*.md between ``<!-- generated: NAME -->`` and
``<!-- end -->``. ``python docs/generate.py results/quick`` stores the verdicts of that run first.
"""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from ihdm.claims import CLAIMS
from ihdm.claims.decisions import Outcome
from ihdm.config.documentation import settings_page
from ihdm.config.reading import config_schema
from ihdm.config.scale import FIGURES
from ihdm.measures.reference import reference

ROOT = Path(__file__).parents[1]
VERDICTS = ROOT / "docs/quick_claims.csv"
"""Number of each verdict in the quick run, per claim."""
SHOWN = [Outcome.REPRODUCED, Outcome.INCONCLUSIVE, Outcome.NOT_REPRODUCED]


def figure_table() -> str:
    """Return a table of figures with the first line of each module."""
    rows = (f"| `{name}` | {_described(name)[0].removesuffix('.')} |" for name in FIGURES)
    return "\n".join(["| figure | shows |", "|---|---|", *rows])


def figure_sections() -> str:
    """Return a section per figure: how to read it, from its module, and its caption."""
    return "\n\n".join(
        f'## {name}\n\n**Look at:** {_described(name)[1]}\n\n--8<-- "workflow/report/{name}.rst"' for name in FIGURES
    )


def claim_table() -> str:
    """Return a table of claims with the verdicts of the quick run."""
    counts = pd.read_csv(VERDICTS, index_col="id")[SHOWN].reindex(CLAIMS).fillna(0).astype(int)
    rows = []
    for name, claim in CLAIMS.items():
        text = f"{claim.text.removesuffix('.')}{' (ours)' if claim.is_ours else ''}"
        rows.append(f"| {' | '.join([text, *(str(count or '') for count in counts.loc[name])])} |")
    return "\n".join([f"| claim | {' | '.join(SHOWN)} |", "|---|:-:|:-:|:-:|", *rows])


def metric_modules() -> str:
    """Return the API entries of the modules of metrics."""
    names = sorted(path.stem for path in (ROOT / "ihdm/metrics").glob("[a-z]*.py"))
    return "\n".join(f"::: ihdm.metrics.{name}" for name in names)


PARTS: dict[str, Callable[[], str]] = {
    "figures": figure_table,
    "figure sections": figure_sections,
    "claims": claim_table,
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


def keep_verdicts(results: Path) -> None:
    """Store the number of each verdict of a run, per claim."""
    table = pd.read_csv(results / "report/claims.csv")
    counts = pd.crosstab(table["id"], table["verdict"]).reindex(CLAIMS).reindex(columns=SHOWN)
    counts.fillna(0).astype(int).to_csv(VERDICTS)


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        keep_verdicts(Path(folder))
    for path, text in generated():
        path.write_text(text, encoding="utf-8")
