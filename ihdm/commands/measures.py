"""The commands of :mod:`ihdm.measures`, one for each job, made of its declaration."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from ihdm.commands.options import InceptionOption, settings_text
from ihdm.commands.tables import write_rows, write_table
from ihdm.config.reading import parse_settings
from ihdm.config.settings import Settings
from ihdm.errors import UserError
from ihdm.measures import Job, find_job, jobs

if TYPE_CHECKING:
    pass


class Commands(dict[str, Any]):
    """Commands by name; one of a measure is made when it is asked for, as most are not."""

    def __missing__(self, name: str) -> Any:  # noqa: ANN401 (as typer builds it)
        """Make the command of a job."""
        single = typer.Typer(add_completion=False)
        job = find_job(name.replace("-", "_"))
        single.command(name, help=job.about)(_command(job))
        return typer.main.get_command(single)


class Measures(TyperGroup):
    """The commands of the stage."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 (as the class it extends)
        super().__init__(**attributes)
        self.commands = Commands(self.commands)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002, D102
        return sorted({*self.commands, *(name.replace("_", "-") for name in jobs())})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401, ARG002, D102
        return self.commands[cmd_name]


def _command(job: Job) -> Any:  # noqa: ANN401 (its parameters are those of the job)
    """Return the function that typer makes the command of a job of."""

    def command(**given: Any) -> None:  # noqa: ANN401
        pairs = [*(given["input"] or []), *(f"{role}={given[role]}" for role in job.inputs if given[role])]
        files = _named_paths("--input", job.inputs, pairs)
        there = {key.partition(":")[0] for key in files}
        if missing := [role for role, source in job.inputs.items() if role not in there and not source.is_optional]:
            raise UserError(f"metrics {job.name}: give --input {'=PATH --input '.join(missing)}=PATH")
        outputs = given["output"]
        if len(job.outputs) == 1 and len(outputs) == 1 and not outputs[0].startswith(f"{next(iter(job.outputs))}="):
            outputs = [f"{next(iter(job.outputs))}={outputs[0]}"]
        places = _named_paths("--output", job.outputs, outputs)
        if missing := [role for role in job.outputs if role not in places]:
            raise UserError(f"metrics {job.name}: give --output {'=PATH --output '.join(missing)}=PATH")
        _compute(job, files, {role: places[role] for role in job.outputs}, given["settings"], given.get("inception"))

    options: dict[str, Any] = {
        role: Annotated[Path | None, typer.Option(help=f"Short for --input {role}=PATH: {source.about}.")]
        for role, source in job.inputs.items()
    }
    options["settings"] = Annotated[
        str,
        typer.Option(
            "--settings",
            metavar="JSON",
            help="Settings as JSON, or the path of a JSON file that holds them; labels in it are the first columns of "
            "every table.",
        ),
    ]
    options["output"] = Annotated[
        list[str],
        typer.Option("--output", metavar="ROLE=PATH", help=f"Where to write {', '.join(job.outputs)}."),
    ]
    options["input"] = Annotated[
        list[str] | None,
        typer.Option(
            "--input", metavar="ROLE=PATH", help="A file that is read; ROLE:NAME=PATH where there are several."
        ),
    ]
    if job.uses_inception:
        options["inception"] = InceptionOption
    defaults: dict[str, Any] = {
        "settings": "{}",
        "output": inspect.Parameter.empty,
        "inception": Path("data/inception"),
    }
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=kind)
        for name, kind in options.items()
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = options
    return command


def _named_paths(option: str, roles: Mapping[str, Any], pairs: list[str]) -> dict[str, Path]:
    """Sort ROLE=PATH and ROLE:NAME=PATH by what is before the path.

    Raises:
        UserError: if a pair is written otherwise, or there is no such role.
    """
    found = {}
    for pair in pairs:
        key, separator, path = pair.partition("=")
        if not separator or key.partition(":")[0] not in roles:
            raise UserError(f"{option} {pair}: write it as ROLE=PATH; roles are {', '.join(roles) or 'none'}")
        found[key] = Path(path)
    return found


def _compute(job: Job, files: dict[str, Path], outputs: dict[str, Path], settings: str, inception: Path | None) -> None:
    from ihdm.devices import used_device
    from ihdm.storage.provenance import record

    labels, chosen = _read_settings(job.first.model, settings)
    with record(
        list(outputs.values()),
        command=f"metrics {job.name.replace('_', '-')}",
        inputs=[path for role, place in files.items() for path in job.parts(role, place)],
        settings=chosen.model_dump(mode="json") | ({"labels": labels} if labels else {}),
        seed=getattr(chosen, "seed", None),
        device=used_device,
    ):
        if inception:
            files["inception"] = inception
        # Nothing is written until all of it could be computed.
        found = [measure.compute(files, chosen) for measure in job.members.values()]
        for results in found:
            for role, result in results.items():
                _write(result, labels, outputs[role])


def _read_settings(model: type[Settings], text: str) -> tuple[dict[str, str], Settings]:
    """Return the labels in the value of ``--settings``, and the settings.

    Raises:
        UserError: if they are not valid.
    """
    text = settings_text(text)
    try:
        values = json.loads(text)
        labels = values.pop("labels", {})
        text = json.dumps(values)
    except (ValueError, AttributeError, TypeError):
        labels = {}  # what is wrong is reported with the settings
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise UserError('--settings: labels must be texts by name, as in {"labels": {"experiment": "digits"}}')
    return labels, parse_settings(model, text, "--settings")


def _write(result: Any, labels: dict[str, str], output: Path) -> None:  # noqa: ANN401 (see ihdm.measures.Results)
    from ihdm.storage.files import atomic_path

    if isinstance(result, list):
        write_rows(result, labels, output)
    elif callable(result):
        with atomic_path(output) as temporary:
            result(temporary)
    else:
        write_table(result, output)
