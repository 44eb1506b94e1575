"""Stage ``data``: from a source to uint8 arrays."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import ScaleOption, SettingsOption, read_settings, require_apart
from ihdm.config.settings import DatasetSettings
from ihdm.errors import UserError

app = typer.Typer(help="Prepare data sets: one uint8 array per split, with a description.")


@app.command()
def prepare(
    settings: SettingsOption,
    output: Annotated[Path, typer.Option(help="Folder for train.npy, test.npy and their descriptions.")],
    state: Annotated[
        Path | None,
        typer.Option(
            help="Folder of unfinished files, from which the same command resumes; by default a hidden folder next to "
            "the output."
        ),
    ] = None,
    root: Annotated[Path, typer.Option(help="Folder of raw files by source.")] = Path("data"),
    workers: Annotated[int, typer.Option(min=1, help="Images decoded in parallel; changes no byte.")] = 1,
) -> None:
    """Find or download a data set and write its splits, resuming from an earlier state if there is one."""
    from ihdm.data.sources import find_source, load_splits, obtain_raw
    from ihdm.data.writing import prepare_splits
    from ihdm.storage.files import owned
    from ihdm.storage.provenance import record

    dataset = read_settings(DatasetSettings, settings)
    state = state or output.with_name(f".{output.name}.incomplete")
    require_apart(state, output)
    source = find_source(dataset)
    raw = obtain_raw(dataset, root)
    splits = load_splits(dataset, raw)
    with (
        owned(state),
        record(
            [output / f"{split}.npy" for split in splits],
            command="data prepare",
            meta=output / "data.meta.json",
            settings=dataset,
        ),
    ):
        paths = prepare_splits(
            splits,
            dataset,
            state,
            output,
            {"source": source.origin, "licence": source.license, "split": source.split, "raw": raw.records},
            workers=workers,
        )
    for path in paths:
        print(f"{path} and its description are written")


@app.command()
def labels(
    settings: SettingsOption,
    output: Annotated[Path, typer.Option(help="File for the classes of the images, .npz with arrays train and test.")],
    root: Annotated[Path, typer.Option(help="Folder of raw files by source.")] = Path("data"),
) -> None:
    """Find or download the labels of a data set, for features of a classifier."""
    from ihdm.data.sources import load_labels, obtain_labels
    from ihdm.storage.arrays import save_arrays
    from ihdm.storage.files import atomic_path
    from ihdm.storage.provenance import record

    dataset = read_settings(DatasetSettings, settings)
    raw = obtain_labels(dataset, root)
    with record(
        [output],
        command="data labels",
        settings={**dataset.model_dump(mode="json"), "raw": list(map(dict, raw.records))},
    ):
        found = load_labels(dataset, raw)
        with atomic_path(output) as temporary:
            save_arrays(temporary, **found)
    print(f"{output} is written")


@app.command()
def download(settings: ScaleOption) -> None:
    """Download the raw files of a scale, and Inception's weights if it needs them.

    Existing files are checked. Files that must be downloaded manually are listed and skipped.
    """
    import sys
    from functools import partial

    from ihdm.config.scale import Config
    from ihdm.data.source import obtain
    from ihdm.data.sources import obtain_labels, obtain_raw
    from ihdm.metrics.extractors import INCEPTION

    config = read_settings(Config, settings)
    used = dict.fromkeys(variant.dataset for variant in config.variants.values())
    wanted = {name: partial(obtain_raw, config.datasets[name], Path(config.data.root)) for name in used}
    for name in used:
        if config.evaluation.extractors[name] == "classifier":
            wanted[f"labels of {name}"] = partial(obtain_labels, config.datasets[name], Path(config.data.root))
    if "inception" in {config.evaluation.extractors[name] for name in used}:
        wanted["Inception"] = partial(obtain, (INCEPTION,), Path(config.inception_weights))
    missing = []
    for name, fetch in wanted.items():
        try:
            raw = fetch()
            print(f"{name}: {f'in {raw.folder}' if raw.records else 'inside a package'}", flush=True)
        except UserError as error:
            missing.append(name)
            print(f"{name}: {error}", file=sys.stderr, flush=True)
    if missing:
        raise UserError(f"files are missing for {', '.join(missing)}; see the messages above")


@app.command()
def sources() -> None:
    """List the image sources: origin, license, files, and notes on results."""
    from ihdm.data.sources import SOURCES

    for name, source in SOURCES.items():
        typer.echo(f"{name}: {source.origin}\n  license: {source.license}\n  split: {source.split}")
        for file in dict.fromkeys((*source.files, *source.label_files)):
            checked = "SHA-256 known" if file.sha256 else "SHA-256 trusted on first use"
            typer.echo(f"  {file.name}: {file.address or file.instructions} ({checked})")
        if source.takes_path:
            typer.echo("  path: required; the folder of the images")
        if source.labels:
            typer.echo("  labels: yes, so the extractor 'classifier' can be trained")
        for note in source.notes:
            typer.echo(f"  note: {note}")
