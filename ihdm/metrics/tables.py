"""Merging of tables, with checks that their values can be compared, and selection of rows."""

from collections.abc import Mapping

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
    _require_one_reference(parts)
    by_dataset: dict[str, dict[str, tuple[str, str]]] = {}
    counts: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, part in parts.items():
        if not {"dataset", "metric", "extractor", "n"} <= set(part.columns):
            continue
        features = part[part["extractor"] != "pixels"]
        for keys, _ in features.groupby(["dataset", "extractor", "extractor_sha256"]):
            dataset, extractor, sha256 = map(str, keys)
            if name in (origins := by_dataset.setdefault(dataset, {})):
                require_one_extractor({f"one row of {name}": origins[name], "another": (extractor, sha256)})
            origins[name] = (extractor, sha256)
        if "set" not in part.columns:  # tables of samples have separate settings
            continue
        for keys, rows in part[~part["metric"].isin(ANY_NUMBER)].groupby(["dataset", "set"]):
            dataset, images = map(str, keys)
            counts.setdefault(dataset, {})[f"'{images}' in {name}"] = tuple(sorted(rows["n"].unique().tolist()))
    for origins in by_dataset.values():
        require_one_extractor(origins)
    for dataset, found in counts.items():
        (first, expected), *others = found.items()
        for name, number in others:
            if number != expected:
                raise UserError(
                    f"{dataset}: {first} has {_text(expected)} images but {name} has {_text(number)}; "
                    "compare equal numbers of images"
                )
    return pd.concat(parts.values(), ignore_index=True)


def _require_one_kind(parts: Mapping[str, pd.DataFrame]) -> None:
    """Refuse a column that the table with the most columns lacks; tables of one kind may lack some of its columns."""
    widest = max(parts, key=lambda name: len(parts[name].columns))
    for name, part in parts.items():
        if foreign := [column for column in part.columns if column not in {*parts[widest].columns, "note"}]:
            raise UserError(
                f"{name}: has columns that {widest} lacks ({', '.join(foreign)}); merge tables of one kind only"
            )


def _require_one_reference(parts: Mapping[str, pd.DataFrame]) -> None:
    found: dict[str, dict[str, str]] = {}
    for name, part in parts.items():
        if {"dataset", "reference"} <= set(part.columns):
            for keys, _ in part.groupby(["dataset", "reference"]):
                dataset, reference = map(str, keys)
                found.setdefault(dataset, {}).setdefault(reference, name)
    for dataset, names in found.items():
        (first, expected), *others = names.items()
        for reference, name in others:
            raise UserError(
                f"{dataset}: {expected} is measured from the reference '{first}' but {name} from '{reference}': "
                "only distances from one reference can be compared; measure all of them from the same reference"
            )


def _text(counts: tuple[int, ...]) -> str:
    return " and ".join(map(str, counts))


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
