"""Joining tables without mixing what cannot be compared."""

from collections.abc import Mapping

import pandas as pd

from ihdm.errors import UserError
from ihdm.metrics.features import require_one_extractor


def join_tables(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return tables of one kind, one after another.

    Args:
        parts: the tables, by the name to call them in an error.

    Raises:
        UserError: if two tables measure images of one data set in features of different extractors, or compare
            different numbers of images.
    """
    by_dataset: dict[str, dict[str, tuple[str, str]]] = {}
    counts: dict[str, dict[str, int]] = {}
    for name, part in parts.items():
        if not {"dataset", "extractor", "n"} <= set(part.columns):
            continue
        features = part[part["extractor"] != "pixels"]
        for keys, _ in features.groupby(["dataset", "extractor", "extractor_sha256"]):
            dataset, extractor, sha256 = map(str, keys)
            if name in (origins := by_dataset.setdefault(dataset, {})):
                require_one_extractor({f"one row of {name}": origins[name], "another": (extractor, sha256)})
            origins[name] = (extractor, sha256)
        for key, rows in part.groupby("dataset"):
            counts.setdefault(str(key), {}).update({f"{name} ({n} images)": int(n) for n in rows["n"].unique()})
    for origins in by_dataset.values():
        require_one_extractor(origins)
    for dataset, found in counts.items():
        if len(set(found.values())) > 1:
            first, second, *_ = sorted(found, key=found.__getitem__)[:: max(1, len(found) - 1)]
            raise UserError(f"{dataset}: {first} and {second} compare different numbers of images; measure them alike")
    return pd.concat(parts.values(), ignore_index=True)
