"""The processes of a workspace on one machine, and how to tell that each is ready."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hub_config.local.places import LOCAL, MARK, STATE, secret
from hub_config.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from hub_config.local.firststart import Ports
    from hub_config.local.places import Places

PASSED_ON = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")
"""What all services get of the environment that `make run` was called in."""

QUOTA = "IMAGINE_STORAGE_QUOTA"
"""What the storage gets of it beside."""


@dataclass(frozen=True)
class Service:
    """One supervised process."""

    name: str
    command: list[str]
    ready_url: str | None
    """Answers below 500 when the service is up; None where there is nothing to ask."""
    environment: dict[str, str] = field(default_factory=dict)


def base_environment(places: Places) -> dict[str, str]:
    """Return the environment that all services share."""
    environment = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    path = os.pathsep.join([str(places.environment / "bin"), environment.get("PATH", os.defpath)])
    return environment | {"PATH": path, MARK: str(STATE), "PYTHONUNBUFFERED": "1"}


def iam_environment(ports: Ports) -> dict[str, str]:
    """Return what the IAM needs to know."""
    return {"IMAGINE_IAM_URL": ports.url("iam"), "IMAGINE_IAM_STATE": str(STATE / "iam")}


def settings_environment() -> dict[str, str]:
    """Return the settings that were chosen by variables, for the services that read ``Settings``."""
    return {name: value for name, value in os.environ.items() if _is_setting(name)}


def _is_setting(name: str) -> bool:
    prefix = str(Settings.model_config["env_prefix"])
    section = name.upper().removeprefix(prefix).split("__")[0].lower()
    return name.upper().startswith(prefix) and section in Settings.model_fields


def all_services(ports: Ports, places: Places, settings: Path, examples: Path) -> list[Service]:
    """Return the services in the order in which they start."""
    url = ports.url
    configured = settings_environment() | {"IMAGINE_SETTINGS": str(settings)}
    storage = {
        "IMAGINE_STORAGE_URL": url("storage"),
        "IMAGINE_STORAGE_STATE": str(STATE / "storage"),
        "IMAGINE_STORAGE_SKELETON": str(examples),
        "IMAGINE_STORAGE_BRUTE_FORCE": "127.0.0.0/8,::1",  # trusted: a guard by address would lock out everyone here
        "IMAGINE_STORAGE_CLIENT_SECRET_FILE": str(secret("storage-client")),
        "IMAGINE_IAM_URL": url("iam"),
        QUOTA: os.environ.get(QUOTA, ""),
    }
    hub = [sys.executable, "-m", "jupyterhub", "-f", str(places.project / "hub_config" / "jupyterhub_config.py")]
    return [
        Service("iam", _module("hub_config.local.iam"), f"{url('iam')}/healthz", iam_environment(ports)),
        Service("storage", _module("hub_config.local.storage"), f"{url('storage')}/status.php", storage),
        Service(
            "platform", _module("hub_config.platform"), f"{url('platform')}/services/imagine/healthz", configured
        ),
        Service("controller", _module("hub_config.platform.controller"), None, configured),
        Service("proxy", _proxy(ports), f"{url('proxy_api')}/api/routes", _proxy_environment()),
        Service("hub", hub, f"{url('hub')}/hub/health", configured),
    ]


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]


def _proxy(ports: Ports) -> list[str]:
    program = LOCAL / "proxy" / "node_modules" / ".bin" / "configurable-http-proxy"
    addresses = ["--ip", "127.0.0.1", "--port", str(ports.all["proxy"])]
    addresses += ["--api-ip", "127.0.0.1", "--api-port", str(ports.all["proxy_api"])]
    waiting = ["--error-target", f"{ports.url('hub')}/hub/error", "--default-target", ports.url("hub")]
    return [str(program), *addresses, *waiting]


def _proxy_environment() -> dict[str, str]:
    return {"CONFIGPROXY_AUTH_TOKEN": secret("proxy-token").read_text()}
