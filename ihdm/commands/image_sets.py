"""Stage ``metrics``, its part on sets of images: features, distances, memorisation, spectra."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import SettingsOption, first_images, read_settings
from ihdm.commands.tables import LabelOption, OutputOption, TrainOption, named_paths, write_rows
from ihdm.errors import UserError
from ihdm.settings import DistanceSettings, ExtractorSettings, MemorisationSettings

app = typer.Typer()

ExtractorOption = Annotated[Path, typer.Option(help="The extractor, .npz.")]
SetsOption = Annotated[list[str], typer.Option(help="NAME=PATH of a set to compare; may be repeated.")]
OptionalOption = Annotated[str, typer.Option(help="Name of a set that may be too small; its rows then say so.")]


@app.command()
def extractor(
    settings: SettingsOption,
    train: TrainOption,
    output: Annotated[Path, typer.Option(help="Path of the extractor, .npz.")],
) -> None:
    """Fit or check what turns a data set's images into features; its name and the hash of its weights are kept."""
    from ihdm.data.arrays import open_images
    from ihdm.extractors import extractor_device, fit_extractor, save_extractor
    from ihdm.files import atomic_path
    from ihdm.provenance import record

    chosen = read_settings(ExtractorSettings, settings)
    device = extractor_device(chosen)
    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=[train], settings=chosen, device=device):
        images = open_images(train)
        if len(images) - chosen.num_skipped < 2:
            raise UserError(
                f"{train}: holds {len(images)} images; {chosen.num_skipped} for comparison leave too few for a "
                f"reference: at least {chosen.num_skipped + 2} are needed, or a smaller evaluation.num_samples"
            )
        fitted = fit_extractor(chosen, images[chosen.num_skipped :], device)
        with atomic_path(output) as temporary:
            save_extractor(fitted, temporary)


@app.command()
def features(
    settings: SettingsOption,
    extractor: ExtractorOption,
    images: Annotated[Path, typer.Option(help="The images, .npy.")],
    output: Annotated[Path, typer.Option(help="Path of the features, .npz.")],
    num_images: Annotated[
        int | None, typer.Option(help="Most images to take; all by default, or if there are fewer.", min=1)
    ] = None,
) -> None:
    """Extract the features of a set of images, once; every distance is then measured on them."""
    from ihdm.data.arrays import open_images
    from ihdm.extractors import extractor_device, load_extractor
    from ihdm.files import atomic_path
    from ihdm.metrics.features import extract
    from ihdm.provenance import record

    chosen = read_settings(ExtractorSettings, settings)
    device = extractor_device(chosen)
    with record(
        output.with_suffix(".meta.json"),
        outputs=[output],
        inputs=[extractor, images],
        settings={**chosen.model_dump(), "num_images": num_images},
        device=device,
    ):
        stored = open_images(images)
        count = min(num_images or len(stored), len(stored))
        extracted = extract(load_extractor(extractor, chosen, stored[:1], device), stored, count)
        with atomic_path(output) as temporary:
            extracted.save(temporary)


@app.command()
def distance(
    settings: SettingsOption,
    train: Annotated[Path, typer.Option(help="Features of the training images, .npz.")],
    sets: SetsOption,
    output: OutputOption,
    optional: OptionalOption = "",
    label: LabelOption = None,
) -> None:
    """Compare sets of images with the training images, in features whose extractor is named in every row.

    The reference is the training images after the first n; those first n, given as a set of their own, are the
    real-against-real floor. In Inception's features the distances are called fid and kid, in no others.
    """
    from ihdm.metrics.distance import distance_rows
    from ihdm.metrics.features import StoredFeatures
    from ihdm.provenance import record

    chosen = read_settings(DistanceSettings, settings)
    paths = named_paths("--sets", sets)
    with record(
        output.with_suffix(".meta.json"),
        outputs=[output],
        inputs=[train, *paths.values()],
        settings=chosen,
        seed=chosen.seed,
    ):
        rows = distance_rows(
            {name: StoredFeatures.read(path) for name, path in paths.items()},
            StoredFeatures.read(train),
            chosen,
            optional=optional,
        )
        write_rows(rows, label, output)


@app.command()
def distance_minimum(
    distances: Annotated[list[Path], typer.Argument(help="Tables of distances of one experiment, one for each δ.")],
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Tell at which δ the distances of samples are lowest, and how surely."""
    import pandas as pd

    from ihdm.metrics.minimum import distance_minimum as minimum_of
    from ihdm.metrics.tables import join_tables
    from ihdm.provenance import record

    with record(output.with_suffix(".meta.json"), outputs=[output], inputs=distances, settings={}, seed=0):
        table = join_tables({str(path): pd.read_csv(path) for path in distances})
        write_rows(minimum_of(table, seed=0), label, output)


@app.command()
def memorisation(
    settings: SettingsOption,
    images: Annotated[list[str], typer.Option(help="samples=PATH, test=PATH and train=PATH of images, .npy.")],
    features: Annotated[list[str], typer.Option(help="samples=PATH, test=PATH and train=PATH of features, .npz.")],
    output: OutputOption,
    label: LabelOption = None,
) -> None:
    """Compare how near samples come to training images with how near held-out images come, in pixels and features."""
    from ihdm.metrics.features import StoredFeatures, require_one_extractor, weights_sha256
    from ihdm.metrics.memorisation import memorisation_rows
    from ihdm.provenance import record

    chosen = read_settings(MemorisationSettings, settings)
    pixel_paths, feature_paths = named_paths("--images", images), named_paths("--features", features)
    order = ("samples", "test", "train")
    for option, paths in (("--images", pixel_paths), ("--features", feature_paths)):
        if sorted(paths) != sorted(order):
            raise UserError(f"{option}: give samples, test and train, not {', '.join(paths)}")
    counts = dict(zip(order, (chosen.num_images, chosen.num_images, chosen.num_train), strict=True))
    with record(
        output.with_suffix(".meta.json"),
        outputs=[output],
        inputs=[*pixel_paths.values(), *feature_paths.values()],
        settings=chosen,
    ):
        pixels = {name: first_images(pixel_paths[name], counts[name]) for name in order}
        stored = {name: StoredFeatures.read(feature_paths[name]) for name in order}
        require_one_extractor({name: (part.extractor, part.sha256) for name, part in stored.items()})
        for name, part in stored.items():
            if len(part) < (needed := len(pixels[name])):
                raise UserError(f"{feature_paths[name]}: features of {len(part)} images; {needed} are needed")
        points = {name: part.reshape(len(part), -1) for name, part in pixels.items()}
        vectors = {name: part.values[: counts[name]] for name, part in stored.items()}
        extractor, sha256 = stored["train"].extractor, stored["train"].sha256
        rows = memorisation_rows({("pixels", weights_sha256()): points, (extractor, sha256): vectors})
        write_rows(rows, label, output)


@app.command()
def spectrum(
    train: TrainOption,
    images: SetsOption,
    num_images: Annotated[
        int, typer.Option(help="Images of each set; the reference is the training images after them.", min=2)
    ],
    output: OutputOption,
    optional: OptionalOption = "",
    label: LabelOption = None,
) -> None:
    """Compare the power in bands of frequency, and over all of them, with that of the training images."""
    from ihdm.data.arrays import open_images
    from ihdm.metrics.spectrum import band_rows
    from ihdm.provenance import record

    paths = named_paths("--images", images)
    with record(
        output.with_suffix(".meta.json"),
        outputs=[output],
        inputs=[train, *paths.values()],
        settings={"num_images": num_images},
    ):
        reference = open_images(train)[num_images:]
        if len(reference) < 2:
            raise UserError(
                f"{train}: {num_images} images for comparison leave too few for a reference: "
                f"at least {num_images + 2} are needed"
            )
        taken = {
            name: first_images(path, num_images)
            for name, path in paths.items()
            if name != optional or len(open_images(path)) >= num_images
        }
        write_rows(band_rows(taken, reference), label, output)
