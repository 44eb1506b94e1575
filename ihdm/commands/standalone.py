"""Commands without a workflow: sample, interpolate, evaluate, train on your own images, restore."""

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from ihdm import pretrained
from ihdm.commands.options import INCEPTION_HELP, write_table, write_text
from ihdm.commands.sampling import ModelArgument, open_pipeline
from ihdm.config.settings import Precision
from ihdm.errors import UserError
from ihdm.storage.files import require_writable

app = typer.Typer()

SamplerOption = Annotated[
    str | None,
    typer.Option(
        help="Sampler: paper, ancestral, ddim, independent, markov, or SamplerSettings as JSON; by default that of the "
        "model.",
        show_default=False,
    ),
]
EvaluationsOption = Annotated[
    int | None, typer.Option(help="Function evaluations (NFE) per image; by default those of the model.", min=1)
]
DeltaOption = Annotated[
    float | None, typer.Option("--delta-ratio", help="Sampling noise δ/σ; by default that of the model.", min=0)
]
SeedOption = Annotated[int, typer.Option(help="Seed; images are numbered from 0 for each seed.", min=0, max=2**32 - 1)]
BatchOption = Annotated[int, typer.Option(help="Images per batch.", min=1)]
SkipBrokenOption = Annotated[bool, typer.Option("--skip-broken", help="Skip files that are not images.")]


def _precision(text: str) -> str:
    if text not in get_args(Precision):
        raise UserError(f"--precision {text}: use one of {', '.join(get_args(Precision))}")
    return text


PrecisionOption = Annotated[
    Precision,
    typer.Option(
        help="Precision of the network: no, bf16 or, on a GPU, fp16.", parser=_precision, metavar="[no|bf16|fp16]"
    ),
]


@app.command()
def sample(
    model: ModelArgument,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="A sheet, .png or .jpg; an animation of the images forming, .gif or .webp; or a folder of files.",
        ),
    ],
    num_samples: Annotated[int, typer.Option("--num-samples", "-n", help="Number of images.", min=1)] = 64,
    sampler: SamplerOption = None,
    evaluations: EvaluationsOption = None,
    delta_ratio: DeltaOption = None,
    seed: SeedOption = 0,
    batch_size: BatchOption = 64,
    precision: PrecisionOption = "no",
) -> None:
    """Generate images with a model."""
    from ihdm.portable.pictures import ANIMATED, SHEETS, animate, draw, frames, require_output, with_sampler, write
    from ihdm.progress import Progress

    require_output(output, SHEETS + ANIMATED)
    pipeline = with_sampler(open_pipeline(model), sampler, delta_ratio)
    if output.suffix.lower() in ANIMATED:
        steps = evaluations or pipeline.scheduler.sampler.num_evaluations(len(pipeline.scheduler))
        sheets = []
        with Progress(f"sampling {output.name}", steps + 1, unit="steps") as progress:
            for sheet in frames(pipeline, num_samples, seed, evaluations, precision, batch_size):
                sheets.append(sheet)
                progress.update(len(sheets))
        animate(sheets, output)
    else:
        with Progress(f"sampling {output.name}", num_samples, unit="images") as progress:
            progress.update(0)
            images = draw(
                pipeline, num_samples, seed, evaluations=evaluations, batch_size=batch_size, precision=precision,
                report=progress.update,
            )  # fmt: skip
        write(images, output)
    typer.echo(f"{output} is written")


@app.command()
def interpolate(
    model: ModelArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A sheet, .png or .jpg, with an interpolation per row.")
    ],
    num_positions: Annotated[int, typer.Option(help="Images per interpolation, both ends included.", min=2)] = 8,
    rows: Annotated[int, typer.Option(help="Number of interpolations.", min=1)] = 4,
    sampler: SamplerOption = None,
    evaluations: EvaluationsOption = None,
    delta_ratio: DeltaOption = None,
    seed: SeedOption = 0,
    precision: PrecisionOption = "no",
) -> None:
    """Interpolate between pairs of samples, numbers 2 i and 2 i + 1 of the seed."""
    from ihdm.portable.pictures import SHEETS, enlargement, interpolations, with_sampler
    from ihdm.progress import Progress
    from ihdm.storage.images import save_grid

    if output.suffix.lower() not in SHEETS:
        raise UserError(f"{output}: use a file name that ends in {', '.join(SHEETS)}")
    require_writable(output)
    pipeline = with_sampler(open_pipeline(model), sampler, delta_ratio)
    with Progress(f"sampling {output.name}", rows, unit="paths") as progress:
        progress.update(0)
        images = interpolations(pipeline, rows, num_positions, seed, evaluations, precision, progress.update)
    save_grid(images, output, enlargement(images), columns=num_positions)
    typer.echo(f"{output} is written")


@app.command()
def evaluate(
    model: ModelArgument,
    data: Annotated[Path, typer.Option(help="Reference: a folder of images, or an array of prepared images, .npy.")],
    num_samples: Annotated[int, typer.Option("--num-samples", "-n", help="Number of generated images.", min=6)] = 1000,
    extractor: Annotated[
        str, typer.Option(help="Features: dct, pca, efficientnet or inception; only inception gives FID and KID.")
    ] = "pca",
    inception: Annotated[Path, typer.Option(help=INCEPTION_HELP)] = Path("data/inception"),
    sampler: SamplerOption = None,
    evaluations: EvaluationsOption = None,
    delta_ratio: DeltaOption = None,
    seed: SeedOption = 0,
    batch_size: BatchOption = 64,
    precision: PrecisionOption = "no",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Path of the table, .csv.")] = None,
    card: Annotated[bool, typer.Option("--card", help="Add the results to the model card.")] = False,
    skip_broken: SkipBrokenOption = False,
) -> None:
    """Measure distances between a model's samples and images, with 95 % intervals, and precision and recall.

    Images of a folder are center-cropped. For a model trained with `--crops`, compare with its crops:
    `--data OUTPUT.work/data/train.npy`.
    """
    import pandas as pd

    from ihdm.metrics.extractors import fit_extractor
    from ihdm.portable.evaluation import as_reference, distance_table, require_enough, require_extractor
    from ihdm.portable.export import distance_lines, with_evaluation
    from ihdm.portable.folder import CARD_NAME, is_pipeline
    from ihdm.portable.own import broken_image_errors
    from ihdm.portable.pictures import draw, with_sampler
    from ihdm.progress import Progress

    if card and model.parent == pretrained.FOLDER:
        raise UserError(f"--card: {model.name} belongs to the package; copy {model} and give the copy")
    if card and not is_pipeline(model):
        raise UserError(f"{model}: has no model card; use an exported pipeline of `ihdm train` or `models export`")
    for path in (*([output] if output else []), *([model / CARD_NAME] if card else [])):
        require_writable(path)
    kind = require_extractor(extractor)
    pipeline = with_sampler(open_pipeline(model), sampler, delta_ratio)
    with broken_image_errors():
        reference = as_reference(data, pipeline.image_shape, skip_broken=skip_broken)
    require_enough(reference, kind, data)
    features = fit_extractor(kind, reference, inception=inception)
    with Progress("sampling", num_samples, unit="images") as progress:
        progress.update(0)
        images = draw(
            pipeline, num_samples, seed, evaluations=evaluations, batch_size=batch_size, precision=precision,
            report=progress.update,
        )  # fmt: skip
    rows = distance_table(images, reference, features)
    uses_delta = pipeline.scheduler.sampler.uses_delta
    table = pd.DataFrame(rows).assign(
        reference=data.name, delta_ratio=pipeline.scheduler.delta_ratio if uses_delta else float("nan")
    )
    if output:
        write_table(table, output)
    if card:
        path = model / CARD_NAME
        text = with_evaluation(path.read_text(encoding="utf-8") if path.exists() else "", distance_lines(table))
        write_text(text, path)
    typer.echo("\n".join(distance_lines(table)))


@app.command()
def train(
    context: typer.Context,
    pictures: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of images.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the exported pipeline.")],
    preset: Annotated[
        str,
        typer.Option(
            help="quick (32 px, minutes on a CPU), small (32 px, hours on a CPU), medium (64 px) or large (128 px) on "
            "a GPU; times are estimates."
        ),
    ] = "small",
    image_size: Annotated[
        int | None, typer.Option(help="Size in pixels; by default that of the preset.", min=8)
    ] = None,
    crops: Annotated[
        int | None, typer.Option(help="Random square crops per image, for small sets of large images.", min=1)
    ] = None,
    gray: Annotated[bool, typer.Option("--gray", help="Train on gray images.")] = False,
    steps: Annotated[int | None, typer.Option(help="Training steps; by default those of the preset.", min=1)] = None,
    prior: Annotated[
        str, typer.Option(help="Prior of the starts: coefficients of training images, or a mixture fitted to them.")
    ] = "coefficients",
    seed: SeedOption = 0,
    skip_broken: SkipBrokenOption = False,
    tracker: Annotated[
        Literal["none", "tensorboard", "wandb"],
        typer.Option(help="Experiment tracker for losses and samples; its files are in OUTPUT.work/state."),
    ] = "none",
) -> None:
    """Train a model on a folder of images and export it, with a model card and a sheet of samples.

    If interrupted, run the same command to resume. The training state is in OUTPUT.work; keep it to continue later with
    more --steps, or delete it.
    """
    from ihdm.commands import data, models
    from ihdm.config.settings import RunSettings
    from ihdm.devices import processes
    from ihdm.portable import own
    from ihdm.portable.folder import CARD_NAME, SHEET_NAME, require_prior, require_room

    kind = require_prior(prior)
    own.require_outside(output, pictures)
    require_room(output)
    experiment = own.experiment_of(
        pictures, preset, image_size, steps, seed, crops=crops, gray=gray, skip_broken=skip_broken
    )
    work = output.absolute().with_name(f"{output.absolute().name}.work")
    images, network = work / "data", work / "network"
    version = own.version_of(experiment.dataset, pictures)
    if not own.is_prepared(images, experiment.dataset, version):
        own.forget_version(images)
        with own.broken_image_errors():
            data.prepare(experiment.dataset.model_dump_json(), images, root=Path())
        own.keep_version(images, version)
    num_images = own.require_enough(images / "train.npy", experiment, kind)
    settings = experiment.model_dump_json()
    if not own.is_trained(network, experiment, images / "train.npy"):
        models.train(
            context, settings, images / "train.npy", state=work / "state", output=network, test=images / "test.npy",
            run_settings=RunSettings(tracker=tracker).model_dump_json(),
        )  # fmt: skip
        if not processes().is_main_process:  # only one process exports
            return
    calibration = own.calibration_of(experiment, num_images)
    if not own.is_measured(network, calibration):
        models.calibrate(calibration.model_dump_json(), network, images / "train.npy")
    models.export(network, output, prior=kind, name=output.absolute().name)
    typer.echo(f"{output} is written; see {output / SHEET_NAME} and {output / CARD_NAME}")


@app.command()
def restore(
    model: ModelArgument,
    pictures: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of images.")],
    problem: Annotated[
        str,
        typer.Option(
            help='The measurement, as JSON: {"kind": "blur", "width": 2}, {"kind": "pooling", "factor": 2}, '
            '{"kind": "mask", "hidden": 0.5} or {"kind": "noise", "noise": 0.1}; all take "noise", by default 0.01.'
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="A sheet, .png or .jpg, or a folder.")],
    measured: Annotated[
        bool,
        typer.Option("--measured", help="The images are measurements; by default they are degraded first, as a test."),
    ] = False,
    num_pictures: Annotated[
        int, typer.Option("--num-pictures", "-n", help="Number of images, the first by name.", min=1)
    ] = 8,
    num_draws: Annotated[int, typer.Option(help="Posterior samples per image.", min=2)] = 4,
    trust: Annotated[
        float, typer.Option(help="Weight of the measurement relative to the network.", min=0.01, max=100)
    ] = 1.0,
    evaluations: EvaluationsOption = None,
    seed: SeedOption = 0,
    precision: PrecisionOption = "no",
) -> None:
    """Restore blurred, downsampled, masked or noisy images.

    A sheet has one row per image: the original if known, the measurement, a sample, and the mean and deviation of all
    samples. A folder gets the mean and one sample per image.
    """
    from ihdm.portable.own import require_outside
    from ihdm.portable.pictures import SHEETS, require_output
    from ihdm.portable.restoring import read_pictures, read_problem, restore_pictures, write_restored
    from ihdm.progress import Progress

    require_outside(output, pictures)
    require_output(output, SHEETS)
    pipeline = open_pipeline(model)
    how = read_problem(problem, pipeline.image_shape[1])
    names, images = read_pictures(pictures, pipeline.image_shape, how if measured else None, num_pictures)
    with Progress(f"restoring {output.name}", len(images) * num_draws, unit="samples") as progress:
        progress.update(0)
        found = restore_pictures(
            pipeline, images, how, is_measured=measured, num_draws=num_draws, trust=trust, evaluations=evaluations,
            seed=seed, precision=precision, report=progress.update,
        )  # fmt: skip
    write_restored(found, names, output)
    typer.echo(f"{output} is written")


@app.command()
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Path of the page, .html.")] = Path("demo.html"),
    num_samples: Annotated[int, typer.Option("--num-samples", "-n", help="Images of each animation.", min=2)] = 16,
) -> None:
    """Show on one page what pretrained models do, without data and training, in less than a minute on two CPU cores.

    The page is self-contained: samples that form from blur, interpolation, the effect of the sampling noise δ, and
    restored photographs.
    """
    from ihdm.progress import Progress
    from ihdm.report.demo import NUM_PARTS, demo_page

    if output.suffix.lower() != ".html":
        raise UserError(f"{output}: the demo is a web page; use a file name that ends in .html")
    require_writable(output)
    with Progress("demo", NUM_PARTS, unit="parts") as progress:
        progress.update(0)
        text = demo_page(num_samples, progress.update)
    write_text(text, output)
    typer.echo(f"{output} is written; open it in a browser")
