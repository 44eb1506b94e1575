"""Significant changes between runs: beyond their errors and the variance between trainings with other seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ihdm.errors import UserError
from ihdm.measures.texts import estimate_text
from ihdm.metrics.estimates import NORMAL_95, student_95
from ihdm.report.render import render
from ihdm.report.results import as_table
from ihdm.storage.reading import read_table

KEYS = ("experiment", "set", "metric", "delta_ratio", "n")
MORE_KEYS = ("dataset", "extractor", "reference")
"""Further keys, if both runs have them."""
SEED = r"-seed\d+$"
"""End of the names of experiments that differ only in their seed."""
BY_CHANCE = 0.05


@dataclass(frozen=True)
class Comparison:
    """The differences between a baseline run and another, each given by its name.

    Attributes:
        rows: a row for each measure with an error in both runs, largest change first.
        num_single: number of rows that exist in one run only or have no error.
    """

    first: str
    second: str
    rows: pd.DataFrame
    num_single: int

    @property
    def moved(self) -> pd.DataFrame:
        """The rows with significant changes."""
        return self.rows[self.rows["moved"]]

    @property
    def sentence(self) -> str:
        """The number of significant changes, and the number expected by chance."""
        expected = BY_CHANCE * len(self.rows)
        return (
            f"{self.second} against {self.first}: {len(self.moved)} of {len(self.rows)} measures differ by more than "
            f"{NORMAL_95:.2f} standard errors of the difference, which include the spread between seeds for "
            f"{int((self.rows['spread'] > 0).sum())} of them; about {expected:.0f} are expected by chance for "
            "independent runs of the same code"
        )


def numbers_file(path: Path) -> Path:
    """Return the table of a run: the path itself, or metrics/sweep.csv in a results folder.

    Raises:
        UserError: if it does not exist.
    """
    file = path / "metrics/sweep.csv" if path.is_dir() else path
    if not file.exists():
        raise UserError(f"{file}: file not found; give a results folder with metrics/sweep.csv, or such a table")
    return file


def read_numbers(file: Path) -> pd.DataFrame:
    """Read the table of a run.

    Raises:
        UserError: if it has no such columns.
    """
    return read_table(file, [*KEYS, "value", "standard_error"])


def compare(first: tuple[str, pd.DataFrame], second: tuple[str, pd.DataFrame]) -> Comparison:
    """Compare two runs, each given by its name and table.

    The error of a difference includes the errors of both values and, where several seeds were trained, the spread
    between trainings; see :func:`seed_spread`. Rows with equal keys are skipped, such as real images of several data
    sets in a table without data sets.

    Raises:
        UserError: if no measure has a value and an error in both runs.
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
            f"no measure has a value and an error in both {first_name} and {second_name}; compare runs of the same "
            "scale"
        )
    rows = rows.iloc[np.argsort(-rows["ratio"].abs().to_numpy(), kind="stable")].reset_index(drop=True)
    return Comparison(first_name, second_name, rows, len(parts[0]) + len(parts[1]) - 2 * len(rows))


def seed_spread(numbers: pd.DataFrame, keys: Sequence[str], kinds: Sequence[str]) -> pd.DataFrame:
    """Return the relative spread between trainings with different seeds, by kind of measure.

    It is the standard deviation over the mean, pooled over experiments with several seeds, times the ratio of Student's
    quantile to the normal one, which accounts for the small number of seeds.

    Args:
        numbers: values of one run, or of several without duplicates.
        keys: columns that identify a row, including `experiment`.
        kinds: columns that identify a kind of measure, such as `metric`.
    """
    base = numbers["experiment"].str.replace(SEED, "", regex=True)
    families = numbers.assign(experiment=base)[base.notna()].groupby(list(keys), dropna=False)["value"]
    found = pd.DataFrame({"degrees": families.count() - 1, "square": families.var() / families.mean() ** 2}).dropna()
    pooled = found.assign(square=found["square"] * found["degrees"]).groupby(list(kinds), dropna=False).sum()
    factors = [student_95(float(degrees)) / NORMAL_95 for degrees in pooled["degrees"]]
    return (factors * (pooled["square"] / pooled["degrees"]) ** 0.5).rename("spread").reset_index()


def as_rows(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Return comparisons as one table."""
    return pd.concat(
        [part.rows.assign(first=part.first, second=part.second) for part in comparisons], ignore_index=True
    )


def comparison_page(comparisons: Sequence[Comparison]) -> str:
    """Return a page of significant changes."""
    explanation = (
        "Significant changes, largest first. Values with 95 % intervals; ratio: difference over its standard error, "
        "which includes the spread between seeds."
    )
    tables = [
        as_table(f"moved-{number}", f"Changes from {part.first} to {part.second}", explanation, _as_text(part))
        for number, part in enumerate(comparisons)
    ]
    return render("compare.html.j2", parts_shown=list(zip(comparisons, tables, strict=True)))


def _as_text(part: Comparison) -> pd.DataFrame:
    moved = part.moved
    keys = [key for key in ("dataset", *KEYS, "extractor") if key in moved.columns]
    text = moved[keys].astype(object).where(moved[keys].notna(), "–").rename(columns={"delta_ratio": "δ/σ"})
    for run in ("first", "second"):
        pairs = zip(moved[f"value_{run}"], NORMAL_95 * moved[f"standard_error_{run}"], strict=True)
        text[getattr(part, run)] = [estimate_text(value, half) for value, half in pairs]
    return text.assign(ratio=moved["ratio"].map("{:.1f}".format))
