"""The command line: ``python -m ihdm STAGE ACTION``, one group of commands for each stage of the pipeline."""

import gc
import io
import os
import sys
from typing import Annotated

try:
    import typer

    from ihdm.commands import (
        claims,
        config,
        data,
        figures,
        metrics,
        models,
        report,
        results,
        samples,
        standalone,
        standalone_convert,
    )
    from ihdm.devices import claim_gpus
    from ihdm.errors import InterruptedTrainingError, UserError
    from ihdm.storage.files import NO_SPACE
except KeyboardInterrupt:  # the first second of a command; later ones are handled by typer
    sys.exit(130)

app = typer.Typer(
    help="Inverse heat dissipation, stage by stage: data → models → samples → metrics → figures → report. "
    "Snakemake runs these commands in order; each can also be run by hand. And, without any of that: train, sample, "
    "interpolate, evaluate, restore, convert.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for stage in (data, models, samples, metrics, figures, report, claims, config, results):
    app.add_typer(stage.app, name=stage.__name__.rpartition(".")[2])
for without_stage in (standalone, standalone_convert):
    app.add_typer(without_stage.app)


@app.callback()
def configure(
    threads: Annotated[int, typer.Option(help="Threads to compute with; more than one rarely pays off.", min=1)] = 1,
    gpus: Annotated[
        int | None,
        typer.Option(
            help="GPUs to compute on, which no other job of yours on this machine uses then: 0 for the CPU, 2 or more "
            "for a training by as many processes. By default whatever PyTorch finds.",
            min=0,
        ),
    ] = None,
    gpus_optional: Annotated[
        bool, typer.Option("--gpus-optional", help="Compute on the CPU where these GPUs are not to be had.")
    ] = False,
) -> None:
    """Set what holds for every command."""
    # The numerical libraries read these once, when they are first imported; the commands import them later.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)
    if gpus is not None:
        claim_gpus(gpus, is_required=not gpus_optional)


def main() -> None:
    """Run a command; what the user can mend is told in one line, without a traceback."""
    # Importing makes hundreds of thousands of objects that stay; to look for garbage among them at every 700th takes a
    # third of the six seconds that a command with a network needs to start.
    gc.set_threshold(50_000)
    for stream in (sys.stdout, sys.stderr):  # whatever the locale; names of files may hold any bytes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        app()
    except UserError as error:
        sys.exit(f"ihdm: {error}")
    except OSError as error:
        if error.errno in NO_SPACE:
            where = error.filename or "a disk that is written to"
            sys.exit(f"ihdm: {where}: no space is left; make room and run the same command again")
        if error.filename is None:
            raise
        sys.exit(f"ihdm: {error.filename}: {error.strerror}")
    except InterruptedTrainingError as error:
        print(f"ihdm: {error}", file=sys.stderr)
        sys.exit(130)
    except RuntimeError as error:
        # By name, as PyTorch is not loaded by commands that do without it.
        if type(error).__name__ != "OutOfMemoryError":
            raise
        sys.exit(
            "ihdm: the GPU's memory is too small for so many images at a time; lower run.micro_batch of the experiment "
            "for training, or evaluation.micro_batch for all else, or set run.gradient_checkpointing for training; "
            f"`models plan` estimates what fits ({' '.join(str(error).split())[:200]})"
        )


if __name__ == "__main__":
    main()
