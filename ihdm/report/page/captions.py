"""Captions of figures, written in reStructuredText for Snakemake's report, as HTML."""

import re
from pathlib import Path

from markupsafe import Markup, escape


def caption(folder: Path | None, figure: str) -> Markup:
    """Return the caption of a figure from ``NAME.rst`` in a folder; nothing if it has none."""
    path = folder / f"{figure}.rst" if folder else None
    return as_html(path.read_text(encoding="utf-8")) if path and path.exists() else Markup("")


def as_html(text: str) -> Markup:
    """Return a paragraph of reStructuredText with literals and strong words; no caption uses more of it."""
    html = str(escape(" ".join(text.split())))
    html = re.sub(r"``(.+?)``", r"<code>\1</code>", html)
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", html))  # noqa: S704 (escaped above)
