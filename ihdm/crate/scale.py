"""The configuration that results were made with, as a file that Snakemake takes."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ihdm.errors import UserError
from ihdm.storage.provenance import read_record

SCALE_NAME = "scale.json"
RECORDS = ("tables/tables.meta.json", "report/claims.meta.json", "report/index.meta.json")
"""The records whose settings are those of the whole scale."""


@contextmanager
def scale_file(results: Path) -> Iterator[Path | None]:
    """Within the block, give the path of the configuration as a file; None if the results do not tell it yet."""
    content = next((found for name in RECORDS if (found := _read(results / name))), None)
    if content is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SCALE_NAME
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
        yield path


def _read(record: Path) -> dict[str, object] | None:
    try:
        return read_record(record)["settings"]
    except UserError:  # unfinished results
        return None
