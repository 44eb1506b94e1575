"""Sample quality against training steps, by prediction and process.

Look at: The fewest steps after which a curve is below the dashed line, the quality of the fully trained network with
the paper's prediction. Table: [milestones](metrics.md#milestones).
"""

from ihdm.figures import Figure, Input, Inputs
from ihdm.figures.evaluations import Curve, draw_measures
from ihdm.figures.style import read_tables, title

INPUTS = {
    "milestones": Input("metrics/milestones/{experiment}.csv"),
    "final": Input(
        "metrics/distance/{experiment}/delta{default_ratio}.csv",
        exists=lambda run: run.variant.experiment.has_paper_bound,
    ),
    "real": Input("metrics/distance/real/{dataset}.csv"),
}


def draw(inputs: Inputs) -> Figure:
    """Draw a row per data set and a column per measure, with 95 % intervals and the value of real images.

    A band is the interval of the fully trained network with the paper's prediction, at the default δ.
    """
    real, finals = read_tables(inputs["real"]), read_tables(inputs.get("final", {}))
    curves: dict[str, list[Curve]] = {}
    floors = {}
    for name, table in read_tables(inputs["milestones"]).items():
        dataset = str(table["dataset"].iloc[0])
        floors[dataset] = real[name]
        final = finals.get(name)
        if final is not None:  # as many samples as of snapshots
            final = final[(final["set"] == "samples") & (final["n"] == table["n"].iloc[0])]
        label = title(name).removeprefix(f"{dataset}, ")
        curves.setdefault(dataset, []).append(Curve(label, "", table.sort_values("step"), final))
    figure, grid = draw_measures(curves, floors, "step")
    for axes in grid.flat:
        axes.set_xlim(left=0)
    for axes in grid[-1]:
        axes.set_xlabel("training steps")
    return figure
