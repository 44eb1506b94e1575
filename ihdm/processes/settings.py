"""Checks that stored results are used only with the process they were made for."""

from pydantic import TypeAdapter

from ihdm.config.processes import ProcessSettings
from ihdm.errors import UserError

_ANY_PROCESS: TypeAdapter[ProcessSettings] = TypeAdapter(ProcessSettings)


def read_process(name: str, made_for: str | None) -> ProcessSettings:
    """Return the process of a stored result.

    Args:
        name: name of the result in error messages.
        made_for: stored settings of its process, as JSON.

    Raises:
        UserError: if ``made_for`` has no process.
    """
    try:
        return _ANY_PROCESS.validate_json(made_for or "")
    except ValueError:
        raise UserError(f"{name}: does not name its process; run the command that writes it again") from None


def require_process(name: str, made_for: str | None, process: ProcessSettings) -> None:
    """Raise an error if a stored result belongs to another process.

    Raises:
        UserError: if a setting differs; see :func:`read_process`.
    """
    known, asked = read_process(name, made_for).model_dump(), process.model_dump()
    differing = [key for key in {**known, **asked} if known.get(key) != asked.get(key)]
    if differing:
        texts = [", ".join(f"{key} {one[key]}" for key in differing if key in one) for one in (known, asked)]
        raise UserError(
            f"{name}: was made for {texts[0]}, not {texts[1]}; use it with that process, or run the command that "
            "writes it again"
        )
