"""Generative modelling with inverse heat dissipation: the method, its training and its evaluation."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_MODULES = {
    "IHDMPipeline": "ihdm.portable.pipeline",
    "IHDMScheduler": "ihdm.portable.scheduler",
    "load_results": "ihdm.results.folder",
}
"""What can be taken from the package itself, by name, and where it is; that is imported when it is asked for."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 (any type)
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
