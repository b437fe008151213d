"""The example notebook runs from beginning to end."""

from __future__ import annotations

import shutil

import pytest
from conftest import SOURCE, peer


@pytest.mark.filterwarnings("ignore")
def test_the_notebook_runs(tmp_path, monkeypatch):
    for name in ("torch", "transformers", "accelerate", "matplotlib", "ipykernel"):
        peer(name)
    nbclient, nbformat = peer("nbclient"), peer("nbformat")
    # Threads that wait for each other on a busy machine take minutes.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))
    shutil.copytree(SOURCE / "examples" / "corpus", tmp_path / "corpus")
    notebook = nbformat.read(SOURCE / "examples" / "continuo.ipynb", 4)
    source = "".join(cell.source for cell in notebook.cells)
    assert "STEPS = 40" in source and not any(cell.get("outputs") for cell in notebook.cells)
    for cell in notebook.cells:
        cell.source = cell.source.replace("STEPS = 40", "STEPS = 10")
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("text/html" in data for data in shown) == 3  # a song, a piece, a table
    assert sum("image/png" in data for data in shown) == 3
