"""Write the parts of the documentation that come from the code: run ``python docs/generate.py`` after changing it.

These are whole files, and the parts of README.md and docs/*.md between ``<!-- generated: NAME -->`` and
``<!-- end -->``. With a folder, ``python docs/generate.py results/quick``, it first counts the verdicts of that run.
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
"""How often each verdict was reached in the quick run, by claim."""
SHOWN = [Outcome.REPRODUCED, Outcome.INCONCLUSIVE, Outcome.NOT_REPRODUCED]


def figure_table() -> str:
    """Return a row for each figure, from the first line of its module."""
    rows = (f"| `{name}` | {_described(name)[0].removesuffix('.')} |" for name in FIGURES)
    return "\n".join(["| figure | shows |", "|---|---|", *rows])


def figure_sections() -> str:
    """Return a section for each figure: how to read it, from its module, and its caption."""
    return "\n\n".join(
        f'## {name}\n\n**Look at:** {_described(name)[1]}\n\n--8<-- "workflow/report/{name}.rst"' for name in FIGURES
    )


def claim_table() -> str:
    """Return a row for each claim, with the verdicts of the quick run."""
    counts = pd.read_csv(VERDICTS, index_col="id")[SHOWN].reindex(CLAIMS).fillna(0).astype(int)
    rows = [
        " | ".join(
            [
                f"| {claim.text.removesuffix('.')}{' (ours)' if claim.is_ours else ''}",
                *(str(count or "") for count in counts.loc[name]),
            ]
        )
        + " |"
        for name, claim in CLAIMS.items()
    ]
    return "\n".join([f"| claim | {' | '.join(SHOWN)} |", "|---|:-:|:-:|:-:|", *rows])


def metric_modules() -> str:
    """Return the entries of the API for modules of metrics."""
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
    """Return the first line of a figure's module, and how to read the figure."""
    text = str(importlib.import_module(f"ihdm.figures.{figure}").__doc__)
    return [" ".join(part.split()) for part in text.split("\n\nLook at: ", 1)]


def generated(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Yield each file with generated content, and its text as it should be."""
    for name, content in FILES.items():
        yield root / name, content()
    for path in (root / "README.md", *sorted((root / "docs").glob("*.md"))):
        text = path.read_text(encoding="utf-8")
        yield path, PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n<!-- end -->", text)


def keep_verdicts(results: Path) -> None:
    """Count the verdicts of a run by claim."""
    table = pd.read_csv(results / "report/claims.csv")
    counts = pd.crosstab(table["id"], table["verdict"]).reindex(CLAIMS).reindex(columns=SHOWN)
    counts.fillna(0).astype(int).to_csv(VERDICTS)


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        keep_verdicts(Path(folder))
    for path, text in generated():
        path.write_text(text, encoding="utf-8")
