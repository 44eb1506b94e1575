"""Power spectral density: noise drowns high frequencies first, heat removes them first (paper, figure 4).

Look at: The frequency at which each curve leaves the black one. Under noise curves level off, under heat they fall.
Table: [psd](metrics.md#tables-of-one-experiment-or-data-set).
"""

import numpy as np

from ihdm.figures import Figure, Inputs
from ihdm.figures.style import panels, read_tables, title
from ihdm.measures import measured

INPUTS = {"psd": measured("psd")}


def draw(inputs: Inputs) -> Figure:
    """Draw two panels per data set: images under growing noise, and under growing heat."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    from ihdm.metrics.spectrum import fit_alpha

    tables = read_tables(inputs["psd"])
    figure, grid = panels(len(tables), 2, 2.7 * len(tables), sharex="row", sharey="row", layout=None)
    for row, (name, table) in zip(grid, tables.items(), strict=True):
        dataset = title(name).partition(",")[0]
        clean = table[table["process"] == "none"]
        frequencies, power = clean["frequency"].to_numpy(), clean["power"].to_numpy()
        alpha = fit_alpha(frequencies, power, 0.0, np.pi)
        for axes, process, colors, heading in (
            (row[0], "noise", "Reds", "noise, standard deviation"),
            (row[1], "heat", "Blues", "heat, blur width (pixels)"),
        ):
            versions = list(table[table["process"] == process].groupby("strength"))
            shades = plt.get_cmap(colors)(np.linspace(0.35, 0.95, len(versions)))
            for color, (strength, version) in zip(shades, versions, strict=True):
                axes.loglog(version["frequency"], version["power"], color=color, lw=1.1, label=f"{strength:.2g}")
            axes.loglog(frequencies, power, "k", lw=1.8, label="image")
            axes.set_title(f"{dataset}: {heading}")
            axes.set_xlabel("frequency (radians per pixel)")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter(ScalarFormatter())
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.legend(fontsize=6, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
        row[0].set_ylim(power.min() * 1e-2, power.max() * 3)
        row[0].set_ylabel("power")
        row[0].text(0.05, 0.06, rf"$\alpha = {alpha:.2f}$ up to $f = \pi$", transform=row[0].transAxes)
    figure.tight_layout()
    return figure
