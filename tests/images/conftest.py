"""The images, built once."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.conftest import PROJECT
from tests.images.test_table import build

NEEDED = ("buildah", "runc")


@pytest.fixture(scope="session")
def tags() -> dict[str, str]:
    """The tag of each image, all of them built as they are now; ``BUILD`` has more words for the builder.

    With ``BUILD=no``, the images that were built before are tested.
    """
    if missing := [program for program in NEEDED if not shutil.which(program)]:
        pytest.skip(f"images are built and started by {' and '.join(NEEDED)}; missing: {', '.join(missing)}")
    if os.geteuid() != 0:
        pytest.skip("only root can start containers without a daemon")
    more = os.environ.get("BUILD", "")
    if more != "no":
        flags = "--isolation chroot --network host"
        command = [sys.executable, "images/build.py", "--builder", "buildah", "--flags", flags, *shlex.split(more)]
        subprocess.run(command, cwd=PROJECT, check=True)
    return {name: f"imagine/{name}:{build.version()}" for name in build.read_table()}
