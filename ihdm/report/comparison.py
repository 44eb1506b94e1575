"""Significant changes between runs: beyond their errors, and beyond what trainings with other seeds differ in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ihdm.errors import UserError
from ihdm.measures.texts import estimate_text
from ihdm.metrics.estimates import NORMAL_95, student_95
from ihdm.report.page.render import render
from ihdm.report.page.tables import as_table
from ihdm.storage.reading import read_table

KEYS = ("experiment", "set", "metric", "delta_ratio", "n")
MORE_KEYS = ("dataset", "extractor", "reference")
"""What tells rows apart where both runs say it."""
SEED = r"-seed\d+$"
"""End of the name of an experiment that differs from another in its seed alone."""
BY_CHANCE = 0.05


@dataclass(frozen=True)
class Comparison:
    """Two runs, measure by measure.

    Attributes:
        first: name of the run that is compared with.
        second: name of the run that is compared.
        rows: one for each measure that both have, with an error in both: those that moved most first.
        num_single: measures that only one of them has, or that have no error.
    """

    first: str
    second: str
    rows: pd.DataFrame
    num_single: int

    @property
    def moved(self) -> pd.DataFrame:
        """The rows that moved beyond their combined uncertainty."""
        return self.rows[self.rows["moved"]]

    @property
    def sentence(self) -> str:
        """How many moved, and how many would have if nothing had changed."""
        expected = BY_CHANCE * len(self.rows)
        return (
            f"{self.second} against {self.first}: {len(self.moved)} of {len(self.rows)} measures differ by more than "
            f"{NORMAL_95:.2f} standard errors of the difference, which include the spread between seeds for "
            f"{int((self.rows['spread'] > 0).sum())} of them; about {expected:.0f} would by chance, were the runs "
            "independent and nothing changed"
        )


def numbers_file(path: Path) -> Path:
    """Return the file of a run's numbers: a table, or that in a folder of results.

    Raises:
        UserError: if it is not there.
    """
    file = path / "metrics/sweep.csv" if path.is_dir() else path
    if not file.exists():
        raise UserError(f"{file}: is not there; give a folder of results with metrics/sweep.csv in it, or such a table")
    return file


def read_numbers(file: Path) -> pd.DataFrame:
    """Read the numbers of a run.

    Raises:
        UserError: if the file holds none.
    """
    return read_table(file, [*KEYS, "value", "standard_error"])


def compare(first: tuple[str, pd.DataFrame], second: tuple[str, pd.DataFrame]) -> Comparison:
    """Return what two runs have in common, and how far apart it lies.

    The error of a difference holds the errors of both values and, where seeds were trained, what two trainings differ
    in anyway; see :func:`seed_spread`. Rows that are told apart by nothing, as those of real images of several data
    sets in a table that names no data set, are left out.

    Args:
        first: name and numbers of the run that is compared with.
        second: name and numbers of the other.

    Raises:
        UserError: if they have no measure in common that has a value and an error in both.
    """
    (first_name, one), (second_name, other) = first, second
    keys = [*KEYS, *(key for key in MORE_KEYS if key in one.columns and key in other.columns)]
    parts = [table.drop_duplicates(keys, keep=False)[[*keys, "value", "standard_error"]] for table in (one, other)]
    merged = parts[0].merge(parts[1], on=keys, suffixes=("_first", "_second"))
    kinds = [key for key in ("set", "metric", "extractor") if key in keys]
    merged = merged.merge(seed_spread(pd.concat([one, other]).drop_duplicates(keys), keys, kinds), on=kinds, how="left")
    merged["spread"] = merged["spread"].where(merged["experiment"].notna()).fillna(0.0)
    squares = [merged[f"standard_error_{run}"] ** 2 + (merged["spread"] * merged[f"value_{run}"]) ** 2
               for run in ("first", "second")]  # fmt: skip
    error = sum(squares) ** 0.5
    difference = merged["value_second"] - merged["value_first"]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(difference == 0, 0.0, difference / error)
    merged = merged.assign(difference=difference, error=error, ratio=ratio, moved=np.abs(ratio) > NORMAL_95)
    rows = merged[error.notna() & difference.notna()]
    if rows.empty:
        raise UserError(
            f"{second_name} has no measure in common with {first_name} that has a value and an error in both; compare "
            "runs of the same scale"
        )
    rows = rows.iloc[np.argsort(-rows["ratio"].abs().to_numpy(), kind="stable")].reset_index(drop=True)
    return Comparison(first_name, second_name, rows, len(parts[0]) + len(parts[1]) - 2 * len(rows))


def seed_spread(numbers: pd.DataFrame, keys: Sequence[str], kinds: Sequence[str]) -> pd.DataFrame:
    """Return the relative spread between trainings that differ in their seed, by kind of measure.

    It is the standard deviation over the mean, pooled over the experiments with several seeds and multiplied by the
    ratio of Student's quantile to the normal one, as few seeds say little.

    Args:
        numbers: values of one run, or of several without duplicates.
        keys: columns that tell rows apart, `experiment` among them.
        kinds: columns that tell kinds of measures apart, such as `metric`.
    """
    base = numbers["experiment"].str.replace(SEED, "", regex=True)
    families = numbers.assign(experiment=base)[base.notna()].groupby(list(keys), dropna=False)["value"]
    found = pd.DataFrame({"degrees": families.count() - 1, "square": families.var() / families.mean() ** 2}).dropna()
    pooled = found.assign(square=found["square"] * found["degrees"]).groupby(list(kinds), dropna=False).sum()
    factors = [student_95(float(degrees)) / NORMAL_95 for degrees in pooled["degrees"]]
    return (factors * (pooled["square"] / pooled["degrees"]) ** 0.5).rename("spread").reset_index()


def as_rows(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Return all comparisons as one table."""
    return pd.concat(
        [part.rows.assign(first=part.first, second=part.second) for part in comparisons], ignore_index=True
    )


def comparison_page(comparisons: Sequence[Comparison]) -> str:
    """Return the page of what moved, in the look of the page of results."""
    explanation = (
        "Significant changes, largest first. Values with 95 % intervals; ratio: difference by its standard error, with "
        "the spread between seeds."
    )
    tables = [
        as_table(f"moved-{number}", f"What moved from {part.first} to {part.second}", explanation, _told(part))
        for number, part in enumerate(comparisons)
    ]
    return render("compare.html.j2", parts_shown=list(zip(comparisons, tables, strict=True)))


def _told(part: Comparison) -> pd.DataFrame:
    moved = part.moved
    keys = [key for key in ("dataset", *KEYS, "extractor") if key in moved.columns]
    told = moved[keys].astype(object).where(moved[keys].notna(), "–").rename(columns={"delta_ratio": "δ/σ"})
    for run in ("first", "second"):
        pairs = zip(moved[f"value_{run}"], NORMAL_95 * moved[f"standard_error_{run}"], strict=True)
        told[getattr(part, run)] = [estimate_text(value, half) for value, half in pairs]
    return told.assign(ratio=moved["ratio"].map("{:.1f}".format))
