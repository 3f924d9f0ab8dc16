"""The tutorials that need no workspace run from top to bottom; the first is walked in a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from hub_config.local.firststart import CRUISE, LABELLED
from imagine_lib.data.synthetic import write_cruise, write_dataset
from tests.conftest import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

TUTORIALS = PROJECT / "notebooks" / "tutorials"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a new user finds in their storage."""
    folder = tmp_path_factory.mktemp("storage")
    write_dataset(folder / "iMagine" / "my-plankton", LABELLED, each=40, seed=11, samples=range(100, 108))
    write_cruise(folder / "iMagine" / "cruise-42", CRUISE, count=60, seed=12, samples=range(200, 204))
    return folder


def run(name: str, storage: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run a tutorial in a home of its own; return what each cell showed."""
    monkeypatch.setenv("HOME", str(folder))
    text = (TUTORIALS / name).read_text("utf-8").replace("nextcloud:/", f"{storage}/")
    notebook = nbformat.reads(text, as_version=4)
    client = NotebookClient(
        notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    return [str(cell.get("outputs", "")) for cell in notebook.cells]


@pytest.mark.timeout(1200)
def test_your_own_images(storage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "\n".join(run("02-your-own-images.ipynb", storage, tmp_path, monkeypatch))
    assert "nothing found" in shown
    for finding in ("damaged or cut short", "the same pixels and different labels", "too few to be split"):
        assert finding in shown
    assert "too few groups" in shown
    assert "individuals per L" in shown
    assert (tmp_path / "cruise-42.csv").read_text().startswith("image,")


@pytest.mark.timeout(1200)
def test_find_things(storage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = "\n".join(run("03-find-things.ipynb", storage, tmp_path, monkeypatch))
    assert "Report of finder" in shown
    assert "mean IoU" in shown
    assert (tmp_path / "found.json").is_file()
