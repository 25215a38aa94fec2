"""The examples run on the bundled clinics, and say what they promise."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nbclient
import nbformat
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
PICTURES = {"distributed_join.ipynb": 1}
"""Notebooks on Spark: how many pictures they draw; the others draw three or more."""
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "utf8", EXAMPLES / script, *arguments],
        capture_output=True,
        encoding="utf-8",
        env=os.environ | {"COLUMNS": "120"},
        check=False,
    )


def test_the_script_prints_confirmed_and_possible_clinics_and_writes_geojson(
    tmp_path: Path,
) -> None:
    file = tmp_path / "near.geojson"
    done = run("nearest_clinics.py", "Kingston, ON", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "1  Providence Care " in done.stdout.split("The pages do not say")[0]
    assert len(json.loads(file.read_text("utf-8"))["features"]) == 3


def test_the_script_refuses_a_place_it_does_not_know_without_repeating_it() -> None:
    done = run("nearest_clinics.py", "Xyzzyville")
    assert done.returncode == 2
    assert "Xyzzyville" not in done.stdout + done.stderr


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_each_notebook_runs_from_a_kept_copy_without_outputs(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if path.name == "distributed_join.ipynb" and (
        find_spec("pyspark") is None or shutil.which("java") is None
    ):
        pytest.skip("Spark or Java is not installed: .ci/run runs it after the other tests")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel chooses its own
    for own in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(own, str(tmp_path / own))  # nothing is shared with other kernels
    # Who looks for fonts for the first time says so, and a kernel would in the notebook.
    importlib.import_module("matplotlib.font_manager")
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    nbclient.NotebookClient(
        notebook, timeout=600, startup_timeout=600, kernel_name="python3"
    ).execute()
    assert sum("image/png" in out.get("data", {}) for cell in code for out in cell.outputs) >= (
        PICTURES.get(path.name, 3)
    )
    if path.name not in PICTURES:  # Spark and Java say what they please
        assert all(out.output_type != "stream" for cell in code for out in cell.outputs)
