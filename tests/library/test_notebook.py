"""What a user sees in a notebook, through a real kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient

from imagine_lib.models.card import write_card

if TYPE_CHECKING:
    from imagine_lib.training.run import Run


def test_an_error_is_its_sentence_without_the_way_through_the_library() -> None:
    output = shown('import imagine_lib as im\nim.load("phytoplanktn")')
    assert output["output_type"] == "error"
    assert output["ename"] == "CatalogueError"
    assert output["traceback"] == [f"CatalogueError: {output['evalue']}"]
    assert "did you mean 'phytoplankton'?" in output["evalue"]


def test_a_card_has_a_column_for_taxa_where_there_are_any(tiny: Run) -> None:
    manifest = tiny.package.manifest.model_copy(deep=True)
    assert "AphiaID" not in write_card("fish", manifest, "images")
    manifest.classes[0].aphia_id = 149151
    assert "149151" in write_card("fish", manifest, "images")


def shown(code: str) -> dict[str, Any]:
    """Run one cell and return its last output."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, allow_errors=True, kernel_name="python3", timeout=120).execute()
    output: dict[str, Any] = notebook.cells[0].outputs[-1]
    return output
