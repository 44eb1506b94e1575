"""Stage ``metrics``: one command per job of :mod:`ihdm.measures`, and one that merges tables."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ihdm.commands.options import INCEPTION_HELP, settings_text, write_table
from ihdm.config.reading import parse_settings
from ihdm.config.settings import Settings
from ihdm.errors import UserError
from ihdm.measures import Job, find_job, jobs
from ihdm.storage.files import atomic_path
from ihdm.storage.provenance import record


class Commands(dict[str, Any]):
    """Commands by name; the command of a measure is built on access."""

    def __missing__(self, name: str) -> Any:  # noqa: ANN401 (as typer builds it)
        """Build the command of a job."""
        single = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        job = find_job(name.replace("-", "_"))
        single.command(name, help=job.about)(_command(job))
        self[name] = typer.main.get_command(single)
        return self[name]


class Measures(TyperGroup):
    """The commands of the stage."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 (as the class it extends)
        super().__init__(**attributes)
        self.commands = Commands(self.commands)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002, D102
        return sorted({*self.commands, *(name.replace("_", "-") for name in jobs())})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002, D102
        return self.commands[cmd_name]


app = typer.Typer(cls=Measures, help="Measure networks and generated images.")


@app.command()
def table(
    parts: Annotated[list[Path], typer.Argument(help="Tables of one kind, .csv.")],
    output: Annotated[Path, typer.Option(help="Path of the merged table, .csv.")],
) -> None:
    """Concatenate tables of one kind; rows of one data set must share the extractor and the reference."""
    from ihdm.metrics.tables import merge_tables
    from ihdm.storage.reading import missing_column_errors, read_table

    with record([output], command="metrics table", inputs=parts, settings={}):
        with missing_column_errors(parts):
            merged = merge_tables({str(part): read_table(part) for part in parts})
        write_table(merged, output)


def _command(job: Job) -> Any:  # noqa: ANN401 (its parameters are those of the job)
    """Return the function from which typer builds the command of a job."""

    def command(**given: Any) -> None:  # noqa: ANN401
        pairs = [*(given["input"] or []), *(f"{role}={given[role]}" for role in job.inputs if given[role])]
        required = [role for role, source in job.inputs.items() if not source.is_optional]
        files = _named_paths(job, "input", job.inputs, pairs, required)
        outputs, (first, *others) = given["output"], job.outputs
        if not others and len(outputs) == 1 and not outputs[0].startswith(f"{first}="):
            outputs = [f"{first}={outputs[0]}"]
        places = _named_paths(job, "output", job.outputs, outputs, list(job.outputs))
        _compute(job, files, {role: places[role] for role in job.outputs}, given["settings"], given.get("inception"))

    def option(name: str, kind: Any, default: Any, text: str, metavar: str | None = None) -> inspect.Parameter:  # noqa: ANN401
        declared = typer.Option(f"--{name.replace('_', '-')}", metavar=metavar, help=text)
        keyword = inspect.Parameter.KEYWORD_ONLY
        return inspect.Parameter(name, keyword, default=default, annotation=Annotated[kind, declared])

    required, pair = inspect.Parameter.empty, "ROLE=PATH"
    parameters = [
        *(
            option(role, Path | None, None, f"Short for --input {role}=PATH: {source.about}.")
            for role, source in job.inputs.items()
        ),
        option(
            "settings",
            str,
            "{}",
            "Settings as JSON or path of a JSON file; `labels` in it are the first columns.",
            "JSON",
        ),
        option("output", list[str], required, f"Output path: {', '.join(job.outputs)}.", pair),
        option("input", list[str] | None, None, "Input file; ROLE:NAME=PATH for several of a role.", pair),
        *([option("inception", Path, Path("data/inception"), INCEPTION_HELP)] if job.uses_inception else []),
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


def _named_paths(
    job: Job, option: str, roles: Mapping[str, Any], pairs: list[str], required: list[str]
) -> dict[str, Path]:
    """Return the paths of ROLE=PATH and ROLE:NAME=PATH by what precedes the equals sign; required roles have one."""
    found = {}
    for pair in pairs:
        key, separator, path = pair.partition("=")
        if not separator or key.partition(":")[0] not in roles:
            raise UserError(f"--{option} {pair}: write ROLE=PATH; roles are {', '.join(roles) or 'none'}")
        found[key] = Path(path)
    if missing := [role for role in required if role not in {key.partition(":")[0] for key in found}]:
        raise UserError(f"metrics {job.name}: add {' '.join(f'--{option} {role}=PATH' for role in missing)}")
    return found


def _compute(job: Job, files: dict[str, Path], outputs: dict[str, Path], settings: str, inception: Path | None) -> None:
    from ihdm.devices import used_device
    from ihdm.storage.reading import missing_column_errors

    labels, chosen = _read_settings(job.first.model, settings)
    inputs = [path for role, place in files.items() for path in job.parts(role, place)]
    with record(
        list(outputs.values()),
        command=f"metrics {job.name.replace('_', '-')}",
        inputs=inputs,
        settings=chosen.model_dump(mode="json") | ({"labels": labels} if labels else {}),
        seed=getattr(chosen, "seed", None),
        device=used_device,
    ):
        if inception:
            files["inception"] = inception
        # Writing starts only after everything is computed.
        with missing_column_errors(inputs):
            found = [measure.compute(files, chosen) for measure in job.members.values()]
        for results in found:
            for role, result in results.items():
                _write(result, labels, outputs[role])


def _read_settings(model: type[Settings], text: str) -> tuple[dict[str, str], Settings]:
    """Return the labels in ``--settings``, and the settings."""
    text = settings_text(text)
    try:
        values = json.loads(text)
        labels = values.pop("labels", {})
        text = json.dumps(values)
    except (ValueError, AttributeError, TypeError):
        labels = {}  # parse_settings reports invalid JSON
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise UserError('--settings: labels must be text by name, such as {"labels": {"experiment": "digits"}}')
    return labels, parse_settings(model, text, "--settings")


def _write(result: Any, labels: dict[str, str], output: Path) -> None:  # noqa: ANN401 (see ihdm.measures.Results)
    if callable(result):
        with atomic_path(output) as temporary:
            result(temporary)
    else:
        import pandas as pd

        rows = pd.DataFrame([{**labels, **row} for row in result]) if isinstance(result, list) else result
        write_table(rows, output)
