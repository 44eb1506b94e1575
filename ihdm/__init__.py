"""Generative modelling with inverse heat dissipation: the method, its training and its evaluation."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PLACES = {
    "IHDMPipeline": "ihdm.portable.pipeline",
    "IHDMScheduler": "ihdm.portable.scheduler",
}
"""Where what is offered here lies; it is imported when it is asked for, as PyTorch takes seconds to."""

__all__ = ["__version__", *_PLACES]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (as Python has it)
    if name not in _PLACES:
        raise AttributeError(f"module 'ihdm' has no attribute '{name}'")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
