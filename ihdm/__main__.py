"""The command line: ``python -m ihdm STAGE ACTION``, one group of commands for each stage of the pipeline."""

import os
import sys
from typing import Annotated

import typer

from ihdm.commands import claims, config, data, figures, metrics, models, report, results, samples
from ihdm.errors import InterruptedTrainingError, UserError
from ihdm.storage.files import NO_SPACE

app = typer.Typer(
    help="Inverse heat dissipation, stage by stage: data → models → samples → metrics → figures → report. "
    "Snakemake runs these commands in order; each can also be run by hand.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for stage in (data, models, samples, metrics, figures, report, claims, config, results):
    app.add_typer(stage.app, name=stage.__name__.rpartition(".")[2])


@app.callback()
def configure(
    threads: Annotated[int, typer.Option(help="Threads to compute with; more than one rarely pays off.", min=1)] = 1,
) -> None:
    """Set what holds for every command."""
    # The numerical libraries read these once, when they are first imported; the commands import them later.
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = str(threads)


def main() -> None:
    """Run a command; what the user can mend is told in one line, without a traceback."""
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


if __name__ == "__main__":
    main()
