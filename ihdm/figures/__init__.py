"""Figures, one module each with a function ``draw``: from tables and arrays on disk to a Matplotlib figure."""

from pathlib import Path

Inputs = dict[str, dict[str, list[Path]]]
"""What a figure is drawn from: kind of file → experiment → its files, in the order of the configuration."""
