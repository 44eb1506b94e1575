"""Stage ``metrics``, its part on images: features, distances, memorisation, disentanglement."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import (
    ExtractorOption,
    InceptionOption,
    SettingsOption,
    TrainOption,
    read_settings,
)
from ihdm.commands.tables import LabelOption, OutputOption, named_paths, write_rows
from ihdm.config.settings import Extractor
from ihdm.config.stages import MemorisationSettings
from ihdm.devices import device_name
from ihdm.errors import UserError
from ihdm.storage.files import atomic_path, sha256
from ihdm.storage.provenance import record

app = typer.Typer()

TrainFeaturesOption = Annotated[Path, typer.Option(help="Features of the training images, .npz.")]


@app.command()
def extractor(
    kind: Annotated[Extractor, typer.Argument(help="Which one.")],
    train: TrainOption,
    output: Annotated[Path, typer.Option(help="Path of the extractor, .npz.")],
    inception: InceptionOption = Path("data/inception"),
) -> None:
    """Fit or check what turns a data set's images into features; its name and the hash of its weights are kept."""
    from ihdm.metrics.extractors import extractor_device, fit_extractor, save_extractor
    from ihdm.storage.reading import open_images

    device, settings = extractor_device(kind), {"extractor": kind}
    with record([output], command="metrics extractor", inputs=[train], settings=settings, device=device_name(device)):
        fitted = fit_extractor(kind, open_images(train), inception=inception, device=device)
        with atomic_path(output) as temporary:
            save_extractor(kind, fitted, temporary)


@app.command()
def features(
    extractor: ExtractorOption,
    images: Annotated[Path, typer.Option(help="The images, .npy.")],
    output: Annotated[Path, typer.Option(help="Path of the features, .npz.")],
    inception: InceptionOption = Path("data/inception"),
) -> None:
    """Extract the features of a set of images, once; every distance is then measured on them."""
    from ihdm.metrics.extractors import load_extractor
    from ihdm.metrics.features import extract
    from ihdm.progress import Progress
    from ihdm.storage.reading import open_images

    stored = open_images(images)
    chosen, device = load_extractor(extractor, stored[:1], inception=inception)
    with record(
        [output], command="metrics features", inputs=[extractor, images], settings={}, device=device_name(device)
    ):
        with Progress(f"features of {images}", len(stored), unit="images") as progress:
            extracted = extract(chosen, stored, progress.update)
        with atomic_path(output) as temporary:
            extracted.save(temporary)


@app.command()
def moments(
    features: Annotated[Path, typer.Option(help="Features of the reference, .npz.")],
    output: Annotated[Path, typer.Option(help="Path of the moments, .npz.")],
) -> None:
    """Find what distances need of a reference whatever is compared with it, once for all of them."""
    from ihdm.metrics.features import StoredFeatures
    from ihdm.metrics.moments import Moments

    with record([output], command="metrics moments", inputs=[features], settings={}):
        found = Moments.of(StoredFeatures.read(features)[:])
        with atomic_path(output) as temporary:
            found.save(temporary, sha256(features))


@app.command()
def distance_minimum(
    distances: Annotated[list[Path], typer.Argument(help="Tables of distances of one experiment, one for each δ.")],
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Tell at which δ the distances of samples are lowest, and how surely."""
    from ihdm.metrics.minimum import distance_minimum as minimum_of
    from ihdm.metrics.tables import join_tables
    from ihdm.storage.reading import read_table

    with record([output], command="metrics distance-minimum", inputs=distances, settings={}, seed=0):
        columns = ("set", "metric", "delta_ratio", "extractor", "n", "value", "standard_error")
        table = join_tables({str(path): read_table(path, columns) for path in distances})
        write_rows(minimum_of(table, seed=0), label, output)


@app.command()
def memorisation(
    settings: SettingsOption,
    images: Annotated[list[str], typer.Option(help="samples=PATH, test=PATH and train=PATH of images, .npy.")],
    features: Annotated[list[str], typer.Option(help="samples=PATH, test=PATH and train=PATH of features, .npz.")],
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Compare how near samples come to training images with how near held-out images come, in pixels and features.

    Of held-out images as many count as of samples, or all where there are fewer. The Fréchet distance of all samples
    from all held-out images stands beside.
    """
    from ihdm.metrics.distance import held_out_rows
    from ihdm.metrics.features import StoredFeatures, require_one_extractor, weights_sha256
    from ihdm.metrics.memorisation import memorisation_rows
    from ihdm.progress import Progress
    from ihdm.storage.reading import first_images, open_images, require_one_shape

    chosen = read_settings(MemorisationSettings, settings)
    pixel_paths, feature_paths = named_paths("--images", images), named_paths("--features", features)
    order = ("samples", "test", "train")
    for option, paths in (("--images", pixel_paths), ("--features", feature_paths)):
        if sorted(paths) != sorted(order):
            raise UserError(f"{option}: give samples, test and train, not {', '.join(paths)}")
    with record(
        [output],
        command="metrics memorisation",
        inputs=[*pixel_paths.values(), *feature_paths.values()],
        settings=chosen,
    ):
        pixels = {
            "samples": first_images(pixel_paths["samples"], chosen.num_images),
            "test": open_images(pixel_paths["test"])[: chosen.num_images],
            "train": first_images(pixel_paths["train"], chosen.num_train),
        }
        require_one_shape({str(pixel_paths[name]): pixels[name] for name in order})
        stored = {name: StoredFeatures.read(feature_paths[name]) for name in order}
        require_one_extractor({name: (part.extractor, part.sha256) for name, part in stored.items()})
        for name, part in stored.items():
            if len(part) < (needed := len(pixels[name])):
                raise UserError(f"{feature_paths[name]}: features of {len(part)} images; {needed} are needed")
        points = {name: part.reshape(len(part), -1) for name, part in pixels.items()}
        vectors = {name: part.values[: len(pixels[name])] for name, part in stored.items()}
        extractor, sha256 = stored["train"].extractor, stored["train"].sha256
        spaces = {("pixels", weights_sha256()): points, (extractor, sha256): vectors}
        with Progress(f"memorisation {output.parent.name} {output.stem}", len(spaces), unit="spaces") as progress:
            progress.update(0)
            rows = memorisation_rows(spaces, progress.update)
            rows += held_out_rows({"samples": stored["samples"]}, stored["test"], chosen.num_resamples, chosen.seed)
        write_rows(rows, label, output)


@app.command()
def disentanglement(
    grid: Annotated[Path, typer.Option(help="Samples of every start with every noise, .npy.")],
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Split the variance of mean colour and of structure into what start, noise and interaction explain."""
    import numpy as np

    from ihdm.metrics.disentanglement import share_rows
    from ihdm.storage.reading import read_array

    with record([output], command="metrics disentanglement", inputs=[grid], settings={}):
        images = read_array(grid)
        if images.ndim != 5 or min(images.shape[:2]) < 2 or not np.issubdtype(images.dtype, np.floating):
            raise UserError(
                f"{grid}: holds {images.dtype} of shape {images.shape}, not floats of start × noise × height × width × "
                "channel, two or more starts and noises"
            )
        write_rows(share_rows(images), label, output)
