"""Stage ``data``: from a source to uint8 arrays."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import SettingsOption, read_settings
from ihdm.config import DatasetSettings

app = typer.Typer(help="Prepare data sets: one uint8 array per split, with a description.", no_args_is_help=True)


@app.command()
def prepare(
    settings: SettingsOption,
    output: Annotated[Path, typer.Option(help="Folder for train.npy, test.npy and their descriptions.")],
) -> None:
    """Load a data set from its source and write its splits."""
    from ihdm.data.arrays import write_split
    from ihdm.data.sources import SOURCES, load_splits
    from ihdm.provenance import record

    dataset = read_settings(DatasetSettings, settings)
    splits = load_splits(dataset)
    source = SOURCES[dataset.source]
    paths = {split: output / f"{split}.npy" for split in splits}
    with record(output / "data.meta.json", outputs=list(paths.values()), settings=dataset):
        for split, images in splits.items():
            write_split(paths[split], images, source=source.origin, licence=source.licence)
            print(f"{paths[split]}: {len(images)} images of {'×'.join(map(str, images.shape[1:]))}")
