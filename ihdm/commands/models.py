"""Stage ``models``: training, calibration, export and planning of networks."""

from pathlib import Path
from typing import Annotated

import typer

from ihdm.commands.options import SettingsOption, TrainOption, read_settings, require_apart, write_table
from ihdm.commands.sampling import ModelOption, OriginTrainOption, SamplingOption, read_sampling, sampled_from
from ihdm.config.experiments import Experiment
from ihdm.config.settings import RunSettings
from ihdm.config.stages import NUM_SHOWN, CalibrationSettings
from ihdm.storage.files import atomic_path, owned
from ihdm.storage.provenance import record

app = typer.Typer(help="Train and export networks.")


@app.command()
def train(
    context: typer.Context,
    settings: SettingsOption,
    train: TrainOption,
    state: Annotated[Path, typer.Option(help="Folder of the training state, from which the same command resumes.")],
    output: Annotated[Path, typer.Option(help="Folder for the trained network and its loss tables.")],
    test: Annotated[Path | None, typer.Option(help="Held-out images, test.npy, for validation losses.")] = None,
    previews: Annotated[Path | None, typer.Option(help="Folder for sample sheets of validation passes.")] = None,
    initial_weights: Annotated[
        Path | None, typer.Option(help="Folder of a trained network of the same preset that initializes the weights.")
    ] = None,
    run_settings: Annotated[
        str, typer.Option(help="RunSettings as JSON or path of a JSON file.", metavar="JSON")
    ] = "{}",
) -> None:
    """Train the network of an experiment, resuming from an earlier state if there is one.

    The state stays after training: with larger `training.steps` the command continues from it; with the same settings
    it starts again. You may delete it.

    The network has averaged weights in diffusers' format (`UNet2DModel.from_pretrained`). Its config.json names the
    process, and other commands refuse any other. Snapshots, every `run.snapshot_every` steps, are in
    milestones/stepN. history.csv has the training loss, held_out.csv the validation losses at each level. On SIGINT,
    SIGTERM, SIGHUP or SIGUSR1 the command saves the state and exits with 130. With `ihdm --gpus N models train …`
    N processes share each batch; for several machines, start them with `torchrun` and a rendezvous.
    """
    from collections import deque

    import pandas as pd

    from ihdm.devices import compute_device, device_name, processes, start_processes
    from ihdm.models.network import (
        CONFIG_NAME,
        RECORD_NAME,
        SNAPSHOTS_NAME,
        STATISTICS_NAME,
        WEIGHTS_NAME,
        save_network,
    )
    from ihdm.models.state import finish
    from ihdm.models.training import LOG_EVERY
    from ihdm.models.training import train as train_network
    from ihdm.predictions import Predictor
    from ihdm.progress import Progress
    from ihdm.storage.reading import first_images, open_images, require_one_shape

    experiment, run = read_settings(Experiment, settings), read_settings(RunSettings, run_settings)
    require_apart(state, output)
    start_processes(context.find_root().params["gpus"] or 1)
    images, held_out = first_images(train, experiment.num_train), open_images(test) if test else None
    if test and held_out is not None:
        require_one_shape({str(train): images, str(test): held_out})
    if not processes().is_main_process:
        train_network(
            experiment, images, state, run=run, test=held_out, previews=previews, initial_weights=initial_weights
        )
        return
    context.with_resource(owned(state))
    inputs = [train, test] if test else [train]
    if initial_weights:
        inputs += [initial_weights / WEIGHTS_NAME, initial_weights / CONFIG_NAME]
    tables = ["history.csv", "held_out.csv"] if test else ["history.csv"]
    outputs = [output / name for name in (CONFIG_NAME, WEIGHTS_NAME, *tables)]
    with record(
        outputs,
        command="models train",
        meta=output / RECORD_NAME,
        inputs=inputs,
        settings=experiment.model_dump(mode="json")
        | {"run": run.model_dump() | {"processes": processes().num_processes}},
        seed=experiment.seed,
        device=device_name(compute_device()),
    ):
        batch_size = experiment.training.batch_size
        recent: deque[float] = deque(maxlen=LOG_EVERY)
        with Progress(f"training {output.name}", experiment.training.steps * batch_size, unit="images") as progress:

            def report(step: int, loss: float) -> None:
                recent.append(loss)
                progress.update(step * batch_size, f"loss {sum(recent) / len(recent):.4g}")

            network, history = train_network(
                experiment, images, state, run=run, test=held_out, previews=previews,
                milestones=output / SNAPSHOTS_NAME, initial_weights=initial_weights, report=report,
            )  # fmt: skip
        predictor = Predictor.fitted(experiment.predicted, images)
        save_network(network, output, experiment.process, predictor)
        if predictor.statistics:
            outputs.append(output / STATISTICS_NAME)
        for name in tables:
            rows = [row for row in history if ("level" in row) == (name == "held_out.csv")]
            write_table(pd.DataFrame(rows), output / name)
        # Snapshots are listed only now, because their interval may change during training.
        outputs += sorted((output / SNAPSHOTS_NAME).rglob("*.*"))
    finish(state)


@app.command()
def calibrate(
    settings: SettingsOption,
    model: Annotated[Path, typer.Option(help="Folder of the trained network, to which calibration.npz is added.")],
    train: TrainOption,
) -> None:
    """Measure the gains and the residual variance of a network's estimates on training images.

    Samplers with measured noise, samplers that step over several levels, and bounds with measured variances need this.
    """
    from ihdm.calibration import CALIBRATION_NAME, measure
    from ihdm.devices import compute_device, device_name
    from ihdm.metrics.heldout import dequantize
    from ihdm.models.network import CONFIG_NAME, STATISTICS_NAME, WEIGHTS_NAME, load_network
    from ihdm.processes import build_process
    from ihdm.progress import Progress
    from ihdm.storage.reading import open_images

    chosen, device = read_settings(CalibrationSettings, settings), compute_device()
    images = open_images(train)[: chosen.num_images]
    statistics = [path for path in (model / STATISTICS_NAME,) if path.exists()]
    with record(
        [model / CALIBRATION_NAME],
        command="models calibrate",
        inputs=[model / WEIGHTS_NAME, model / CONFIG_NAME, *statistics, train],
        settings=chosen,
        seed=chosen.seed,
        device=device_name(device),
    ):
        network = load_network(model, chosen.process, images, device, chosen.compute)
        process = build_process(chosen.process, images.shape[1], device)
        with Progress(f"calibrating {model.name}", len(chosen.levels), unit="levels") as progress:
            found = measure(
                network, process, dequantize(images).to(device), chosen.levels, chosen.seed, chosen.micro_batch,
                progress.update,
            )  # fmt: skip
        with atomic_path(model / CALIBRATION_NAME) as temporary:
            found.save(temporary, chosen.process)


@app.command()
def export(
    model: ModelOption,
    output: Annotated[Path, typer.Option(help="Folder of the pipeline.")],
    settings: SamplingOption = "{}",
    train: OriginTrainOption = None,
    prior: Annotated[
        str,
        typer.Option(
            help="Prior of the starts: `coefficients`, those of the training images that the last blur leaves, or "
            "`mixture`, Gaussians fitted to them."
        ),
    ] = "coefficients",
    distance: Annotated[Path | None, typer.Option(help="Table of its distances, for the card.")] = None,
    likelihood: Annotated[Path | None, typer.Option(help="Table of its bounds, for the card.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the model; by default that of its folder.")] = None,
    trained_by: Annotated[str, typer.Option(help="The command that trained it, for the card.", metavar="TEXT")] = "",
    num_shown: Annotated[int, typer.Option(help="Samples on the sheet.", min=1)] = NUM_SHOWN,
) -> None:
    """Write a trained network as a self-contained exported pipeline, which `IHDMPipeline.from_pretrained` loads.

    It holds the network, process, sampler, prior, calibration if the network has one, a model card and a sheet of
    samples.
    """
    from ihdm.models.network import training_settings
    from ihdm.portable.export import distance_lines, export, likelihood_lines
    from ihdm.portable.folder import require_prior, require_room
    from ihdm.storage.reading import first_images, read_table

    require_room(output)
    sampling, train = read_sampling(settings, model, train)
    kind = require_prior(prior)
    images = first_images(train, sampling.num_train)
    measures: list[str] = []
    if distance:
        measures += distance_lines(read_table(distance, ("set", "metric", "value", "low", "high", "extractor", "n")))
    if likelihood:
        measures += likelihood_lines(read_table(likelihood, ("bits_per_dim", "standard_error", "n", "delta_ratio")))
    inputs = [*sampled_from(sampling, model, train), *(path for path in (distance, likelihood) if path)]
    outputs: list[Path] = []
    with record(
        outputs,
        command="models export",
        inputs=inputs,
        settings={**sampling.model_dump(mode="json"), "prior": kind, "num_shown": num_shown},
        seed=sampling.seed,
        meta=output.with_name(f"{output.name}.meta.json"),
    ):
        outputs += export(
            model, train, images, sampling, kind, output,
            name=name or model.name, training={**training_settings(model), "command": trained_by}, measures=measures,
            num_shown=num_shown,
        )  # fmt: skip


@app.command("list")
def list_pretrained() -> None:
    """List the pretrained models that come with the package; commands and `IHDMPipeline` take them by name."""
    import pandas as pd

    from ihdm import pretrained

    table = pd.DataFrame([pretrained.describe(name) for name in pretrained.names()])
    typer.echo(table.to_markdown(index=False, intfmt=","))


@app.command()
def plan(
    path: Annotated[Path, typer.Argument(help="Configuration file, .yaml.")],
    tflops: Annotated[
        tuple[float, float], typer.Option(help="Achieved TFLOP/s of a GPU in float32 with TF32, and in fp16 or bf16.")
    ] = (60.0, 120.0),
    gpu_memory: Annotated[float, typer.Option(help="Memory of a GPU in GB.")] = 80.0,
    output: Annotated[Path | None, typer.Option(help="Path of the table, .csv.")] = None,
) -> None:
    """Estimate memory, GPU hours and disk space of every network of a scale, and the micro-batches that fit."""
    from ihdm.config.reading import read_config
    from ihdm.data.sources import check_sources
    from ihdm.errors import UserError
    from ihdm.models.plan import GB, Machine, plan_rows, plan_text

    if min(*tflops, gpu_memory) <= 0:
        raise UserError("--tflops and --gpu-memory must be above 0")
    config, machine = read_config(path), Machine(*tflops, gpu_memory * GB)
    check_sources(config)
    rows = plan_rows(config, machine)
    typer.echo(plan_text(rows, machine))
    if output:
        write_table(rows, output)
