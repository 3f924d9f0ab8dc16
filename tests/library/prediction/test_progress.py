"""What is said while it takes long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from imagine_lib.prediction import progress

if TYPE_CHECKING:
    from pathlib import Path

    from imagine_lib.model import Model


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_at_most_every_two_seconds_from_the_second_on(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with progress.shown(None) as show:
        for done in range(1, 10_001, 100):
            show(done, 10_000)
            clock[0] += 0.5
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Predicting: 401 of 10,000 images, about 48 s left"
    assert lines[1] == "Predicting: 801 of 10,000 images, about 46 s left"
    assert len(lines) == 24
    assert capsys.readouterr().out == ""


def test_what_is_quick_says_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown(None) as show:
        show(0, 10)
        clock[0] += 1.9
        show(5, 10)
        clock[0] += 5
        show(10, 10)
    assert capsys.readouterr().err == ""


def test_what_a_kept_run_had_before_is_no_speed(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress.shown(None) as show:
        show(5000, 10_000)
        clock[0] += 10
        show(5100, 10_000)
    assert capsys.readouterr().err == "Predicting: 5,100 of 10,000 images, about 8 minutes left\n"


def test_a_caller_is_told_from_nothing_to_all(model: Model, blots: list[Path]) -> None:
    told: list[tuple[int, int]] = []
    model.predict(blots, progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, 30)
    assert told[-1] == (30, 30)
    assert told == sorted(told)


def test_a_notebook_shows_a_text_that_goes_away() -> None:
    code = """
import time
from imagine_lib.prediction import progress
progress.INTERVAL = 0
with progress.shown(None) as show:
    for done in (10, 20):
        time.sleep(0.02)
        show(done, 100)
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    said: list[str] = []

    class Watching(NotebookClient):
        def process_message(self, msg, cell, cell_index):  # type: ignore[no-untyped-def]
            said.extend([msg["content"]["data"]["text/html"]] if "data" in msg["content"] else [])
            return super().process_message(msg, cell, cell_index)

    Watching(notebook, kernel_name="python3", timeout=120).execute()
    assert said[0].startswith("Predicting: 10 of 100 images")
    assert said[1].startswith("Predicting: 20 of 100 images")
    (output,) = notebook.cells[0].outputs
    assert output["data"]["text/html"] == ""
