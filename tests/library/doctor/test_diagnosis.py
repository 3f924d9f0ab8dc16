"""How a diagnosis shows itself, and how far it is while it is made."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from imagine_lib.data.looks import CHUNK, announce
from imagine_lib.doctor import diagnose

if TYPE_CHECKING:
    import pytest

    from tests.library.doctor.conftest import Maker

HOSTILE = '<script>alert("x")</script>'


def test_a_notebook_shows_pictures_and_escapes_names(make: Maker) -> None:
    make.add(HOSTILE)
    make.items[0] = replace(make.items[0], name=f'"{HOSTILE}.png')
    pixels = make.noise(bits=16)
    make.add(None, pixels)
    make.add(None, b"broken")
    page = diagnose(make.done())._repr_html_()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "data:image/png;base64," in page and "<code>0002.png</code>" in page


def test_the_gravest_comes_first_and_everything_is_plain_data(make: Maker) -> None:
    make.add("a")
    make.add(None, b"")
    diagnosis = make.done().check()
    severities = [finding.severity for finding in diagnosis.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index) and len(set(severities)) > 1
    plain = json.loads(json.dumps(diagnosis.to_dict()))
    assert plain["ok"] is False and plain["images"] == 2 and plain["classes"] == {"a": 1}
    assert set(plain["findings"][0]) == {"code", "severity", "count", "message", "remedy", "examples"}
    assert "error: " in repr(diagnosis) and plain["findings"][0]["message"] in repr(diagnosis)


def test_every_message_is_a_sentence(make: Maker) -> None:
    make.add("a")
    make.add(None, b"")
    for finding in make.done().check().findings:
        assert finding.message.endswith(".") and finding.remedy.endswith(".")
        assert "\n" not in finding.message + finding.remedy


def test_examples_are_ten_and_the_count_is_all(make: Maker) -> None:
    for _ in range(12):
        make.add(None)
    finding = next(finding for finding in make.done().check().findings if finding.code == "unlabelled")
    assert finding.count == 12 and len(finding.examples) == 10


def test_progress_ends_at_all(make: Maker) -> None:
    item = make.add("a")
    make.items += [item] * CHUNK
    seen: list[tuple[int, int]] = []
    diagnose(make.done(), lambda done, total: seen.append((done, total)))
    assert seen[:2] == [(CHUNK, CHUNK + 1), (CHUNK + 1, CHUNK + 1)]


def test_short_work_says_nothing_and_long_work_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr("imagine_lib.data.looks.time.monotonic", lambda: clock[0])
    tell = announce("Looking")
    clock[0] = 1.9
    tell(1, 3)
    assert capsys.readouterr().err == ""
    clock[0] = 2.1
    tell(2, 3)
    tell(3, 3)
    assert capsys.readouterr().err == "Looking: 2 of 3\nLooking: 3 of 3\n"


def test_images_are_decoded_once(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    make.add("a")
    make.add("b")
    data = make.done()
    first = data.looks
    monkeypatch.setattr("imagine_lib.data.looks.decode", None)
    data.check()
    assert data.looks is first
    assert data.subset([1]).looks.sha256(0) == first.sha256(1)
