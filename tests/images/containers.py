"""Containers of images that buildah has built, run by runc: no daemon, and the host's own loopback as network."""

from __future__ import annotations

import json
import secrets
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SECONDS_TO_END = 30


@dataclass(frozen=True)
class Container:
    """One that runs."""

    name: str
    root: Path
    """Its files, as the host sees them."""
    config: dict[str, Any]
    """The image's own configuration."""
    log: Path

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as its user."""
        more = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
        return subprocess.run(
            ["runc", "exec", *more, self.name, *command], capture_output=True, text=True, check=False, timeout=300
        )

    @property
    def state(self) -> str:
        """``running`` or ``stopped``."""
        return str(json.loads(_output("runc", "state", self.name))["status"])


@contextmanager
def container(tag: str, folder: Path, command: list[str] | None = None, **environment: str) -> Iterator[Container]:
    """Start an image as Kubernetes would: its own entry point and user, no capability, an empty home.

    Parameters
    ----------
    tag
        The image.
    folder
        An empty one, for what runc needs.
    command
        Instead of the image's own.
    **environment
        Beside the image's own.
    """
    name = f"imagine-test-{secrets.token_hex(4)}"
    config = json.loads(_output("buildah", "inspect", "--type", "image", tag))["OCIv1"]["config"]
    working = _output("buildah", "from", "--pull-never", tag)
    root = Path(_output("buildah", "mount", working))
    try:
        log = folder / "log"
        _write_bundle(folder, root, config, command, environment)
        with log.open("wb") as output:
            subprocess.run(
                ["runc", "run", "--detach", "--bundle", str(folder), name],
                check=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            yield Container(name, root, config, log)
        finally:
            subprocess.run(["runc", "delete", "--force", name], check=False, capture_output=True)
    finally:
        subprocess.run(["buildah", "rm", working], check=True, capture_output=True)


def _write_bundle(
    folder: Path, root: Path, image: dict[str, Any], command: list[str] | None, environment: dict[str, str]
) -> None:
    subprocess.run(["runc", "spec", "--bundle", str(folder)], check=True)
    path = folder / "config.json"
    spec = json.loads(path.read_text())
    uid, _, gid = image["User"].partition(":")
    home = folder / "home"
    home.mkdir()
    home.chmod(0o777)
    process = spec["process"]
    process |= {
        "terminal": False,
        "user": {"uid": int(uid), "gid": int(gid)},
        "args": [*image.get("Entrypoint", []), *(command or image["Cmd"])],
        "env": [*image["Env"], "HOME=/home/jovyan", *(f"{name}={value}" for name, value in environment.items())],
        "cwd": image.get("WorkingDir") or "/",
        "capabilities": {},
        "noNewPrivileges": True,
        "rlimits": [],
    }
    spec["root"] = {"path": str(root), "readonly": False}
    spec["mounts"].append(
        {"destination": "/home/jovyan", "type": "bind", "source": str(home), "options": ["rbind", "rw"]}
    )
    namespaces = spec["linux"]["namespaces"]
    spec["linux"]["namespaces"] = [one for one in namespaces if one["type"] != "network"]
    path.write_text(json.dumps(spec))


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
