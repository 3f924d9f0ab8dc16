"""A model shared with someone whom the hub does not know: published, and the publisher is warned."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from hub_config.platform import PREFIX
from imagine_lib.data.preprocessing import preprocessing_hash
from imagine_lib.models.package import write_package
from tests.platform.conftest import PEOPLE, PROJECT, SERVICE_TOKEN, make_package, manifest_of

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = "The workspace knows no user nobody yet: check the name; they can load it once they have signed in."


def test_the_publisher_is_warned_of_a_name_that_the_hub_does_not_know(serve: Any) -> None:
    _, platform = serve()
    answer = platform.user("rosa").publish("m", None, "user:nobody", "user:ben", "everyone")
    assert (answer.status_code, answer.json()["warnings"]) == (201, [NOBODY])
    assert sorted(asked for asked in platform.neighbours.asked if asked.startswith(PEOPLE)) == [
        f"{PEOPLE}ben",
        f"{PEOPLE}nobody",
    ]
    again = platform.user("rosa").publish("m", None, "user:nobody", "user:ben", "everyone")
    assert (again.status_code, again.json()["warnings"]) == (200, [NOBODY])
    assert platform.user("nobody").get("/models/rosa/m/versions/1").status_code == 200


def test_a_refused_package_asks_nothing_about_its_readers(serve: Any) -> None:
    _, platform = serve()
    assert platform.user("rosa").post_version("m", make_package(), "user:nobody").status_code == 409
    assert not [asked for asked in platform.neighbours.asked if asked.startswith(PEOPLE)]


def test_without_an_answer_of_the_hub_publishing_works_and_nothing_is_claimed(serve: Any, tmp_path: Path) -> None:
    _, platform = serve()
    rosa = platform.user("rosa")
    assert rosa.get("/me").status_code == 200  # from here on the platform remembers who she is
    platform.neighbours.well = False
    answer = rosa.publish("m", None, "user:nobody")
    assert (answer.status_code, answer.json()["warnings"]) == (201, [])
    log = (tmp_path / "api.log").read_text()
    assert "so a model's readers are not checked (HTTPStatusError)" in log
    assert SERVICE_TOKEN not in log


NOTEBOOK = """\
import sys
import imagine_lib as im
model = im.load(sys.argv[1])
for _ in range(2):
    model.share("m", "user:nobody")
"""


def test_a_notebook_and_the_command_line_show_the_warning(serve: Any, tmp_path: Path) -> None:
    _, platform = serve()
    content = make_package()
    content.pop("model.json")
    manifest = manifest_of(content)
    manifest = manifest.model_copy(
        update={"input": manifest.input.model_copy(update={"hash": preprocessing_hash(manifest.input)})}
    )
    package = write_package(tmp_path / "package", manifest, content).folder
    cells = tmp_path / "cells.py"
    cells.write_text(NOTEBOOK)
    token = platform.neighbours.user("rosa")
    environment = os.environ | {
        "IMAGINE_PLATFORM_URL": f"http://{platform.address}{PREFIX}",
        "JUPYTERHUB_API_TOKEN": token,
    }

    def run(*command: object) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, *map(str, command)]
        return subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True)

    shared = run("-m", "imagine_lib.cli", "share", package, "m", "--to", "user:nobody")
    assert (shared.stdout, shared.stderr) == ("rosa/m@1\n", f"imagine: {NOBODY}\n")
    environment["PYTHONPATH"] = str(PROJECT)
    warned = [line for line in run(cells, package).stderr.splitlines() if "Warning" in line]
    assert warned == [f"{cells}:5: SharingWarning: {NOBODY}"] * 2
