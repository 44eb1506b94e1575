"""All parts of the page, put together."""

from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from ihdm.data.sources import notes_of
from ihdm.figures import figure_inputs
from ihdm.report.page import charts
from ihdm.report.page.captions import caption
from ihdm.report.page.claims import Ledger, read_ledger
from ihdm.report.page.deltas import explorers
from ihdm.report.page.images import THUMBNAIL_WIDTH, Picture, animation_pictures, figure_picture
from ihdm.report.page.levels import level_groups, opening
from ihdm.report.page.provenance import provenance
from ihdm.report.page.quality import quality_charts
from ihdm.report.page.render import render
from ihdm.report.page.results import Results
from ihdm.report.page.tables import page_tables

MOST_FIGURES = 3
"""Beside one claim."""


@dataclass(frozen=True)
class Figure:
    """A figure with its caption, and as it moves if it does.

    Attributes:
        name: of its files.
        title: the same, to be read.
        picture: the figure.
        thumbnail: the same, small; it stands beside claims.
        caption: what it shows; may be empty.
        animation: it moving, and the last frame; None if it does not move.
    """

    name: str
    title: str
    picture: Picture
    thumbnail: Picture
    caption: Markup
    animation: tuple[Picture, Picture] | None


def report_page(results: Results, ledger: Path | None, captions: Path | None, notices: list[str]) -> str:
    """Return the page of a scale.

    Args:
        results: the scale and its results.
        ledger: the ledger of claims, if there is one.
        captions: folder of captions, ``NAME.rst``.
        notices: results that other code made, a sentence each.
    """
    config = results.config
    groups = level_groups(results)
    figures = _figures(results, captions)
    explored, studied = explorers(results), quality_charts(results)
    notes = [f"{name}: {note}" for name, told in notes_of(config).items() for note in told]
    claims = read_ledger(ledger) if ledger else None
    return render(
        "page.html.j2",
        scale=results.folder.resolve().name,
        num_networks=sum(variant.is_trained for variant in config.variants.values()),
        datasets=list(dict.fromkeys(variant.dataset for variant in config.variants.values())),
        ledger=claims,
        evidence=_evidence(claims, results, figures) if claims else {},
        opening=opening(groups.values()),
        groups=groups,
        explorers=explored,
        quality=studied,
        figures=figures,
        tables=page_tables(results),
        provenance=provenance(results, notices, notes),
        vega=Markup(charts.bundle()) if explored or studied else "",  # noqa: S704 (a library)
    )


def _figures(results: Results, captions: Path | None) -> list[Figure]:
    found = []
    for name in results.config.figures:
        if results.figure(name).exists():
            moving = results.animation(name)
            found.append(
                Figure(
                    name,
                    name.replace("_", " "),
                    figure_picture(results.figure(name)),
                    figure_picture(results.figure(name), THUMBNAIL_WIDTH),
                    caption(captions, name),
                    animation_pictures(moving) if moving.exists() else None,
                )
            )
    return found


def _evidence(ledger: Ledger, results: Results, figures: list[Figure]) -> dict[str, list[Figure]]:
    """Return for each claim the figures that are drawn from the table behind it."""
    inputs = {figure.name: figure_inputs(figure.name, results.config).values() for figure in figures}
    found = {}
    for claim in ledger.claims:
        found[claim.row["id"]] = [
            figure
            for figure in figures
            if any(path.split("/")[1].partition(".")[0] in claim.tables for path in inputs[figure.name])
        ][:MOST_FIGURES]
    return found
