"""What the first start makes and every later start finds: demo users, keys, example images, settings."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from hub_config.local.places import STATE, Places, secret, write_text
from imagine_lib.data.synthetic import write_cruise, write_dataset

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = "iMagine"
"""The folder of example images in each user's storage."""

LABELLED = ["bell", "comb", "copepod", "spiral"]
"""What the tutorial teaches: shapes that the starter model does not know."""

CRUISE = ["chain", "cluster", "disc", "horn", "rod", "star"]

README = """# Example images

`my-plankton` holds labelled images, one folder a class: retrain a model on them.
`cruise-42` holds images without labels: let a model name them.

A program drew all of them. No living thing is in them.
"""


@dataclass(frozen=True)
class DemoUser:
    """Someone who can sign in from the first minute."""

    username: str
    name: str
    groups: tuple[str, ...]


DEMO_USERS = (
    DemoUser("rosa", "Rosa Pérez", ("imagine-users",)),
    DemoUser("ada", "Ada Okafor", ("imagine-users", "imagine-admins")),
)


HIGHEST_PORT = 65_530
"""The last with five more above it."""


@dataclass(frozen=True)
class Ports:
    """Where each service listens, all on 127.0.0.1: six ports in a row."""

    public: int

    @staticmethod
    def parse(text: str) -> Ports:
        """Read the first port, as it was given to `make run`.

        Raises
        ------
        ValueError
            It is no port, or has not five others above it.
        """
        if not text.isdigit() or not 1 <= int(text) <= HIGHEST_PORT:
            raise ValueError(f"PORT={text} is no port: choose a number from 1 to {HIGHEST_PORT}, like PORT=8100.")
        return Ports(int(text))

    @property
    def all(self) -> dict[str, int]:
        """The port of each service."""
        names = ("proxy", "iam", "storage", "hub", "proxy_api", "platform")
        return {name: self.public + offset for offset, name in enumerate(names)}

    def url(self, name: str) -> str:
        """Return a service's address."""
        return f"http://127.0.0.1:{self.all[name]}"


def demo_passwords() -> dict[str, str]:
    """Return the demo users' passwords, made at the first call."""
    path = STATE / "secrets" / "demo-passwords.json"
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_text(path, json.dumps({user.username: secrets.token_urlsafe(9) for user in DEMO_USERS}))
    found: dict[str, str] = json.loads(path.read_text())
    return found


def draw_examples() -> Path:
    """Return the folder that every new user's storage starts with, drawn at the first call."""
    folder = STATE / "skeleton"
    if not folder.exists():
        drawing = STATE / "skeleton.drawing"
        shutil.rmtree(drawing, ignore_errors=True)
        write_dataset(drawing / EXAMPLES / "my-plankton", LABELLED, each=40, seed=11, samples=range(100, 108))
        write_cruise(drawing / EXAMPLES / "cruise-42", CRUISE, count=60, seed=12, samples=range(200, 204))
        (drawing / EXAMPLES / "README.md").write_text(README)
        drawing.rename(folder)
    return folder


def write_settings(ports: Ports, places: Places, agent_socket: Path) -> Path:
    """Write the settings that hub and platform read, and return the file."""
    settings: dict[str, Any] = {
        "public_url": ports.url("proxy"),
        "state": str(_folder("hub")),
        "hub_listen": f"127.0.0.1:{ports.all['hub']}",
        "proxy_api": ports.url("proxy_api"),
        "proxy_token_file": str(secret("proxy-token")),
        "audit_file": str(STATE / "audit.jsonl"),
        "operator_token_file": str(secret("operator-token")),
        "catalogue": str(places.project / "images"),
        "iam": {
            "issuer": ports.url("iam"),
            "account_url": f"{ports.url('iam')}/",
            "client_secret_file": str(secret("iam-client")),
        },
        "storage": {"url": ports.url("storage")},
        "platform": {
            "listen": f"127.0.0.1:{ports.all['platform']}",
            "database_url": f"sqlite:///{_folder('platform') / 'platform.sqlite'}",
            "model_store": str(_folder("platform") / "models"),
            "token_file": str(secret("platform-token")),
        },
        "spawn": {"profiles": _profiles()},
        "local": {"agent_socket": str(agent_socket)},
    }
    path = STATE / "settings.yaml"
    write_text(path, yaml.safe_dump(settings, sort_keys=False))
    return path


def seed_iam(ports: Ports, environment: dict[str, str]) -> None:
    """Tell the IAM of the groups, the demo users, the hub and the storage; what is there already stays."""
    passwords = demo_passwords()
    users = [
        {
            "username": user.username,
            "password": passwords[user.username],
            "email": f"{user.username}@example.org",
            "name": user.name,
            "groups": list(user.groups),
            "admin": "imagine-admins" in user.groups,
        }
        for user in DEMO_USERS
    ]
    hub = {
        "id": "imagine-workspace",
        "name": "iMagine workspace",
        "secret": secret("iam-client").read_text(),
        "redirect_uris": [f"{ports.url('proxy')}/hub/oauth_callback"],
        "post_logout_redirect_uris": [f"{ports.url('proxy')}/hub/"],
        "scopes": ["openid", "profile", "email", "groups", "offline_access"],
    }
    storage = {
        "id": "imagine-storage",
        "name": "iMagine storage",
        "secret": secret("storage-client").read_text(),
        "redirect_uris": [f"{ports.url('storage')}/apps/user_oidc/code"],
        "scopes": ["openid", "profile", "email", "groups"],
    }
    wish = {"groups": ["imagine-users", "imagine-admins"], "users": users, "clients": [hub, storage]}
    subprocess.run(
        [sys.executable, "-m", "hub_config.local.iam.seed"],
        input=json.dumps(wish),
        text=True,
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )


def _folder(name: str) -> Path:
    folder = STATE / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _profiles() -> dict[str, dict[str, Any]]:
    """Offer what this machine has."""
    profiles: dict[str, dict[str, Any]] = {
        "standard": {"title": "Standard", "cpu": 2, "memory_mb": 8192},
        "small": {"title": "Small", "cpu": 1, "memory_mb": 4096},
    }
    if (
        shutil.which("nvidia-smi")
        and subprocess.run(["nvidia-smi", "-L"], check=False, capture_output=True).returncode == 0
    ):
        profiles["gpu"] = {"title": "GPU", "cpu": 4, "memory_mb": 16384, "gpu": 1}
    return profiles
