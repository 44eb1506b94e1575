"""The command line: ``python -m ihdm STAGE ACTION``, one group of commands for each stage of the pipeline."""

import sys

import typer

from ihdm.commands import config, data, figures, metrics, models, report, samples
from ihdm.errors import InterruptedTrainingError, UserError

app = typer.Typer(
    help="Inverse heat dissipation, stage by stage: data → models → samples → metrics → figures → report. "
    "Snakemake runs these commands in order; each can also be run by hand.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for stage in (data, models, samples, metrics, figures, report, config):
    app.add_typer(stage.app, name=stage.__name__.rpartition(".")[2])


def main() -> None:
    """Run a command; what the user can mend is told in one line, without a traceback."""
    try:
        app()
    except UserError as error:
        sys.exit(f"ihdm: {error}")
    except InterruptedTrainingError as error:
        print(f"ihdm: {error}", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
