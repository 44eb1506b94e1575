"""The plan of the paper's largest networks, whose footprints take half a minute to count."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from ihdm.config.reading import parse_config
from ihdm.models.plan import GB, Machine, plan_rows, plan_text

ROOT = Path(__file__).parents[2]
MACHINE = Machine(60.0, 120.0, 80 * GB)


@pytest.fixture(scope="module")
def largest() -> pd.DataFrame:
    """The plan of the paper's largest networks."""
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    kept = ("afhq256", "ffhq256", "lsun_church128")
    values |= {"experiments": {name: values["experiments"][name] for name in kept}, "sweeps": {}, "diagnostics": []}
    values |= {"studies": {}, "restoration": {}, "portable": list(kept)}
    values["figures"] = {"teaser": ["afhq256", "lsun_church128"]}
    return plan_rows(parse_config(values), MACHINE).set_index("experiment")


def test_the_largest_networks_of_the_paper_fit_a_gpu_as_configured(largest):
    assert (largest["training_micro_batch"] <= largest["training_largest"]).all()
    assert largest["training_gb"].max() < 45
    assert largest["sampling_gb"].max() < 10
    # Whole batches would not fit.
    assert largest.loc["afhq256", "saved_gb_per_image"] * 32 > 80


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_documentation_has_the_output_of_the_command(largest):
    """All but the totals, of the largest networks."""
    told = (ROOT / "docs/cluster.md").read_text()
    lines = [cells(line) for line in told.splitlines() if line.startswith("|")]
    assumed, *tables = plan_text(largest.reset_index(), MACHINE).split("\n\n")
    assert assumed in told
    for table in (table for table in tables if table.startswith("|")):
        heading, _, *rows = map(cells, table.splitlines())
        assert heading in lines
        for row in rows:
            assert row in lines or row[0] == "all", row
