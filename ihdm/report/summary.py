"""The summary page: the joint tables, rounded for reading, each with a sentence on what it says."""

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd

from ihdm.report.sections import SECTIONS

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h2 { margin-top: 2.2rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.8rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
thead th { border-bottom: 2px solid #888; }
tbody th, td:first-child { text-align: left; }
p { max-width: 46rem; }
"""


def summary_page(
    tables: Mapping[str, pd.DataFrame], title: str, notices: Sequence[str] = (), notes: Sequence[str] = ()
) -> str:
    """Return the summary as one self-contained HTML page.

    Args:
        tables: joint tables by name, those of ``SECTIONS`` or some of them.
        title: heading of the page.
        notices: what must be known before any table is read, a sentence each.
        notes: what must be known of the data sets, a sentence each.
    """
    parts = [f"<p><strong>{escape(notice)}</strong></p>" for notice in notices]
    if notes:
        sentences = "\n".join(f"<li>{escape(note)}</li>" for note in notes)
        parts.append(f"<h2>What must be known of the data</h2>\n<ul>\n{sentences}\n</ul>")
    for name, section in SECTIONS.items():
        if name in tables:
            table = section.summarise(tables[name]).to_html(index=False, border=0, justify="right")
            parts.append(
                f"<h2>{escape(section.HEADING)}</h2>\n<p>{escape(section.EXPLANATION)}</p>\n"
                # A wide table scrolls inside its own box, which the keyboard reaches, and not the page.
                f'<div class="table" tabindex="0">{table}</div>'
            )
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n{body}\n</body></html>\n"
    )
