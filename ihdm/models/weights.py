"""Tensors in .safetensors files: written atomically, and loaded only if they fit."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ihdm.errors import UserError
from ihdm.storage.files import atomic_path
from ihdm.storage.provenance import require_as_recorded

NUM_NAMED = 3
"""Names of tensors listed in an error."""


def save_tensors(tensors: Mapping[str, Tensor], path: Path, header: dict[str, str]) -> None:
    """Write tensors as .safetensors, atomically.

    Raises:
        OSError: if the disk is full, or it cannot be written for another reason.
        UserError: if a value is not finite.
    """
    if wrong := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise UserError(
            f"{path}: tensor {wrong[0]} has values that are not finite (NaN or infinity), so it is not written; "
            "train with a lower learning rate or in float32 (mixed_precision 'no')"
        )
    with atomic_path(path) as temporary:
        try:
            save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, temporary, header)
        except SafetensorError as error:
            # The library reports the error number of the system only in its message.
            if (found := re.search(r"\(os error (\d+)\)", str(error))) is None:
                raise
            raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from None


def read_weights(paths: Sequence[Path], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read the tensors of a module from one file, or from several that hold a part each; they are mapped, not copied.

    Args:
        paths: the files, .safetensors.
        expected: the module's ``state_dict``, on any device; only names and shapes count.

    Returns:
        The tensors by name, on the CPU.

    Raises:
        UserError: if a file is damaged or not as its record describes it, a tensor is missing, unknown or of another
            shape, or a value is not a finite floating-point number.
    """
    found: dict[str, Tensor] = {}
    for path in paths:
        require_as_recorded(path)
        try:
            with safe_open(path, framework="pt", device="cpu") as stored:
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
        except FileNotFoundError:
            raise UserError(f"{path}: the weights are missing; download or generate the file again") from None
        except (SafetensorError, OSError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{path}: damaged weights ({reason}); download or generate the file again") from None
        unknown = [name for name in tensors if name not in expected]
        if unknown:
            raise UserError(
                f"{path}: holds tensors that the network does not have: {_listed(unknown)}; save the weights under the "
                "names of the network alone, without prefixes such as 'module.' or '_orig_mod.'"
            )
        for name, tensor in tensors.items():
            if problem := _problem(tensor, expected[name]):
                raise UserError(f"{path}: {name} {problem}; download or generate the file again")
        found |= tensors
    missing = [name for name in expected if name not in found]
    if missing:
        raise UserError(
            f"{', '.join(map(str, paths))}: tensors are missing: {_listed(missing)}; download or generate it again"
        )
    return found


def _problem(tensor: Tensor, expected: Tensor) -> str | None:
    if tensor.shape != expected.shape:
        return f"has shape {tuple(tensor.shape)} instead of {tuple(expected.shape)}"
    if not tensor.is_floating_point():
        return f"holds {tensor.dtype} instead of floating-point values"
    if not tensor.isfinite().all():
        return "holds values that are not finite (NaN or infinity)"
    return None


def _listed(names: list[str]) -> str:
    names = sorted(names)
    more = f" and {len(names) - NUM_NAMED} more" if len(names) > NUM_NAMED else ""
    return ", ".join(names[:NUM_NAMED]) + more
