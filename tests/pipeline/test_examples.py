"""The notebooks under examples/ run from their first cell to their last."""

import asyncio
import json
import warnings
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path, monkeypatch):
    """With the pretrained model that they start from."""
    monkeypatch.delenv("IHDM_MODEL", raising=False)
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = nbformat.read(path, as_version=4)
    with warnings.catch_warnings():
        # What Jupyter's parts say of each other is not of these notebooks.
        warnings.simplefilter("ignore")
        asyncio.run(
            NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).async_execute()
        )
    pictures = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})
    ]
    drawing = [cell for cell in notebook.cells if cell.cell_type == "code" and "show([" in cell.source + " "]
    assert len(pictures) >= len(drawing) >= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_without_traces(path):
    """No output with the paths of a machine, and cells in order."""
    content = json.loads(path.read_text())
    outputs = json.dumps([cell.get("outputs", []) for cell in content["cells"]])
    assert "/home/" not in outputs
    assert "/tmp/" not in outputs
    assert "Traceback" not in outputs
