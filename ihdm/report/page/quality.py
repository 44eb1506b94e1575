"""Distance against network evaluations, a chart for each experiment that is studied."""

from ihdm.report.page import charts
from ihdm.report.page.results import FRECHET, Results

NAMES = {"paper": "paper", "paper_best": "paper, best δ"}


def quality_charts(results: Results) -> dict[str, charts.Chart]:
    """Return a chart for each experiment of the merged table of evaluations, by name."""
    table = results.tables.get("evaluations")
    if table is None:
        return {}
    rows = table[table["metric"].isin(FRECHET) & (table["set"] == "samples")]
    drawn = {}
    for experiment, part in rows.groupby("experiment", sort=False):
        shown = part[["sampler", "evaluations", "value", "low", "high"]].replace({"sampler": NAMES})
        shown = shown.assign(low=shown["low"].where(shown["low"] > 0, shown["value"] / 10))
        measure = "FID" if (part["metric"] == "fid").all() else "Fréchet distance"
        drawn[str(experiment)] = charts.quality(
            shown.reset_index(drop=True), measure, results.floor(part["dataset"].iloc[0])
        )
    return drawn
