"""The command line: ``python -m ihdm STAGE ACTION``, one command group per stage of the pipeline."""

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
except KeyboardInterrupt:  # typer handles later ones
    sys.exit(130)

app = typer.Typer(
    help="Inverse heat dissipation, stage by stage: data → models → samples → metrics → figures → report. "
    "Snakemake runs these commands; you can also run each manually. Commands without a workflow: demo, train, "
    "sample, interpolate, evaluate, restore, convert.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for stage in (data, models, samples, metrics, figures, report, claims, config, results):
    app.add_typer(stage.app, name=stage.__name__.rpartition(".")[2], no_args_is_help=True)
app.add_typer(standalone.app)
app.add_typer(standalone_convert.app)


@app.callback()
def configure(
    threads: Annotated[int, typer.Option(help="Number of threads; more than one is rarely faster.", min=1)] = 1,
    gpus: Annotated[
        int | None,
        typer.Option(
            help="Number of GPUs, reserved against your other jobs on this machine: 0 for the CPU, 2 or more for "
            "training with as many processes. By default the GPUs that PyTorch finds.",
            min=0,
        ),
    ] = None,
    gpus_optional: Annotated[
        bool, typer.Option("--gpus-optional", help="Use the CPU if these GPUs are not available.")
    ] = False,
) -> None:
    """Set options of all commands."""
    # Numerical libraries read these when they are first imported, which the commands do later.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)
    if gpus is not None:
        claim_gpus(gpus, is_required=not gpus_optional)


def main() -> None:
    """Run a command; errors that the user can fix are reported in one line, without a traceback."""
    # Imports create hundreds of thousands of permanent objects; with the default threshold of 700, garbage collection
    # takes a third of the six seconds that a command with a network needs to start.
    gc.set_threshold(50_000)
    for stream in (sys.stdout, sys.stderr):  # for any locale; file names may hold any bytes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        app()
    except UserError as error:
        sys.exit(f"ihdm: {error}")
    except OSError as error:
        if error.errno in NO_SPACE:
            where = error.filename or "output"
            sys.exit(f"ihdm: {where}: no space is left on the disk; free some and run the same command again")
        if error.filename is None:
            raise
        sys.exit(f"ihdm: {error.filename}: {error.strerror}")
    except InterruptedTrainingError as error:
        print(f"ihdm: {error}", file=sys.stderr)
        sys.exit(130)
    except RuntimeError as error:
        # By name, because some commands do not import PyTorch.
        if type(error).__name__ != "OutOfMemoryError":
            raise
        sys.exit(
            "ihdm: out of GPU memory; for training, lower run.micro_batch of the experiment or set "
            "run.gradient_checkpointing; otherwise lower evaluation.micro_batch. `models plan` estimates what fits "
            f"({' '.join(str(error).split())[:200]})"
        )


if __name__ == "__main__":
    main()
