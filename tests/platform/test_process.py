"""The API as a process: it ends in order, and a restart forgets nothing."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.platform.conftest import stop

if TYPE_CHECKING:
    from pathlib import Path


def test_wrong_settings_are_one_sentence(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "settings.yml").write_text("platform: {lissen: x}")
    monkeypatch.setenv("IMAGINE_SETTINGS", str(tmp_path / "settings.yml"))
    assert start("hub_config.platform", "api").wait(60) == 1
    assert (tmp_path / "api.log").read_text() == "Setting platform.lissen does not exist: did you mean 'listen'?\n"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_keeps_everything(serve: Any, tmp_path: Path, how: signal.Signals) -> None:
    process, platform = serve()
    rosa = platform.user("rosa")
    rosa.publish("m")
    version = rosa.get("/models/rosa/m/versions/1").json()
    status = stop(process, how)
    if how == signal.SIGTERM:
        assert status == 0
        assert "Traceback" not in (tmp_path / "api.log").read_text()
    serve(again=platform)
    assert rosa.get("/models/rosa/m/versions/latest").json() == version
    assert rosa.get("/models/rosa/m/versions/1/files/README.md").status_code == 200
    log = (tmp_path / "api.log").read_text()
    for token in platform.neighbours.users:
        assert token not in log
