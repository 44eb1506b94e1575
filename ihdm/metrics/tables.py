"""Merging of tables, with checks that their values can be compared, and selection of rows."""

from collections.abc import Iterator, Mapping

import pandas as pd

from ihdm.config.experiments import NUMBERS
from ihdm.errors import UserError
from ihdm.metrics.features import require_one_extractor

ANY_NUMBER = (
    *("nearest_distance", "share_near"),
    *("frechet_distance_held_out", "fid_held_out", "kernel_distance_held_out", "kid_held_out"),
)
"""Means over images: n changes their errors and not their values, so that any n may be compared with any other. And
distances from held-out images, which are measured once: of all samples, and by as many for each network."""


def merge_tables(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Concatenate tables of one kind.

    Args:
        parts: the tables by their names in error messages.

    Raises:
        UserError: if a table has columns of another kind, or two tables measure one data set with different extractors,
            or from different references, or compare different numbers of images in measures that depend on it.
    """
    _require_one_kind(parts)
    for dataset, rows in _by_dataset(parts, "reference"):
        names = rows.drop_duplicates("reference").set_index("reference")["part"]
        if len(names) > 1:
            raise UserError(
                f"{dataset}: {names.iloc[0]} is measured from the reference '{names.index[0]}' but {names.iloc[1]} "
                f"from '{names.index[1]}': only distances from one reference can be compared; measure all of them from "
                "the same reference"
            )
    for _, rows in _by_dataset(parts, "extractor", "extractor_sha256"):
        rows = rows[rows["extractor"] != "pixels"].dropna()
        origins = zip(rows["extractor"], rows["extractor_sha256"], strict=True)
        require_one_extractor(zip(rows["part"], origins, strict=True))
    for dataset, rows in _by_dataset(parts, "set", "metric", "n", "extractor"):  # others have separate settings
        rows = rows[~rows["metric"].isin(ANY_NUMBER)]
        counts = {
            f"'{images}' in {name}": " and ".join(map(str, sorted(here["n"].unique())))
            for (name, images), here in rows.groupby(["part", "set"], sort=False)
        }
        for name, number in counts.items():
            one, expected = next(iter(counts.items()))
            if number != expected:
                raise UserError(
                    f"{dataset}: {one} has {expected} images but {name} has {number}; compare equal numbers of images"
                )
    return pd.concat(parts.values(), ignore_index=True)


def _by_dataset(parts: Mapping[str, pd.DataFrame], *columns: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield data sets with the distinct values of columns, and ``part``, the name of their table, if it has these."""
    found = [
        part[["dataset", *columns]].drop_duplicates().dropna(subset=["dataset", columns[0]]).assign(part=name)
        for name, part in parts.items()
        if {"dataset", *columns} <= set(part.columns)
    ]
    for dataset, rows in pd.concat(found).groupby("dataset", sort=False) if found else ():
        yield str(dataset), rows


def _require_one_kind(parts: Mapping[str, pd.DataFrame]) -> None:
    """Refuse a column that the table with the most columns lacks; tables of one kind may lack some of its columns."""
    widest = max(parts, key=lambda name: len(parts[name].columns))
    for name, part in parts.items():
        if foreign := [column for column in part.columns if column not in {*parts[widest].columns, "note"}]:
            raise UserError(
                f"{name}: has columns that {widest} lacks ({', '.join(foreign)}); merge tables of one kind only"
            )


def with_most_images(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the largest n for each quantity that was measured with several n."""
    return table[table["n"] == table["n"].max()]


def swept_parameters(table: pd.DataFrame, base: str) -> dict[str, pd.DataFrame]:
    """Return for each swept number the rows of ``base`` and of the experiments that differ only in this number.

    Args:
        table: the tidy table.
        base: name of the base experiment.
    """
    family = table[table["base"] == base]
    found = {}
    for parameter in NUMBERS:
        varied = family[family["swept"] == parameter]
        if len(varied):
            found[parameter] = pd.concat([family[family["experiment"] == base], varied])
    return found
