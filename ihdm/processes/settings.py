"""Which process something was made for, and that it is used for no other."""

from pydantic import TypeAdapter

from ihdm.config.processes import ProcessSettings
from ihdm.errors import UserError

_ANY_PROCESS: TypeAdapter[ProcessSettings] = TypeAdapter(ProcessSettings)


def read_process(name: str, made_for: str | None) -> ProcessSettings:
    """Return the process that something was made for.

    Args:
        name: what to call it in an error.
        made_for: the settings of its process as JSON, as they are stored with it.

    Raises:
        UserError: if ``made_for`` names none.
    """
    try:
        return _ANY_PROCESS.validate_json(made_for or "")
    except ValueError:
        raise UserError(f"{name}: does not name its process; run the command that writes it again") from None


def require_process(name: str, made_for: str | None, process: ProcessSettings) -> None:
    """Refuse to use for one process what was trained or evaluated for another.

    Raises:
        UserError: if any of its settings differs; see :func:`read_process`.
    """
    known, asked = read_process(name, made_for).model_dump(), process.model_dump()
    differing = [key for key in {**known, **asked} if known.get(key) != asked.get(key)]
    if differing:
        texts = [", ".join(f"{key} {one[key]}" for key in differing if key in one) for one in (known, asked)]
        raise UserError(
            f"{name}: was made for {texts[0]}, not {texts[1]}; use it with that process, or run the command that "
            "writes it again"
        )
