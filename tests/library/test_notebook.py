"""What a user sees in a notebook, through a real kernel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient

from imagine_lib.models.card import write_card
from imagine_lib.prediction.record import Failure

if TYPE_CHECKING:
    from pathlib import Path

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


def test_an_interrupted_training_is_one_sentence(plankton: Path) -> None:
    output = shown(f"""
import _thread
import imagine_lib as im
data = im.open_dataset({str(plankton)!r})
stop = lambda event: event["type"] == "progress" and _thread.interrupt_main()
im.load("phytoplankton").retrain(data, im.Recipe(epochs=3), watchers=[stop])
""")
    assert output["traceback"] == [f"Interrupted: {output['evalue']}"]
    assert output["evalue"].endswith("to go on from there.")


def test_a_report_names_the_test_images_that_could_not_be_read(tiny: Run) -> None:
    report = tiny.report()
    failures = [Failure(f"bell/{number}.png", f"bell/{number}.png is empty.") for number in range(12)]
    page = replace(report, evaluation=replace(report.evaluation, failures=failures))._repr_html_()
    assert "Left out: bell/9.png is empty." in page
    assert "bell/10.png" not in page
    assert "2 more images could not be read" in page
