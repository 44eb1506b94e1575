"""Figures, one module each with a function ``draw``: from tables and arrays on disk to a Matplotlib figure."""

from pathlib import Path

Inputs = dict[str, dict[str, dict[str, Path]]]
"""What a figure is drawn from: kind of file → experiment → δ/σ as text, ``""`` if none concerns it → file."""
