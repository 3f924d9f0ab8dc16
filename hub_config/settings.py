"""Every knob of the hub and the platform, typed, in one place.

The file that ``IMAGINE_SETTINGS`` names (YAML) is read first; an environment variable wins over it:
``IMAGINE_IAM__ISSUER`` sets ``iam.issuer``. An unknown key in the file is refused, with the keys that exist.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource
from pydantic_settings.exceptions import SettingsError as UnreadableVariable

PROJECT = Path(__file__).resolve().parent.parent

PREFIX = "IMAGINE_"
"""What the name of every variable that sets something begins with."""


class SettingsError(Exception):
    """The settings cannot be used; the message says which key and why."""


class Section(BaseModel):
    """A group of knobs; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class IAMSettings(Section):
    """Where users sign in."""

    issuer: str = "http://127.0.0.1:8001"
    """The OIDC issuer: ``<issuer>/.well-known/openid-configuration`` must answer."""
    name: str = "iMagine IAM"
    """What the sign-in button says."""
    account_url: str = ""
    """The page where users see their account, and administrators approve new ones; empty: no link to it."""
    client_id: str = "imagine-workspace"
    client_secret_file: Path | None = None
    """A file, so that the secret is in no environment and no process list."""
    scopes: list[str] = ["openid", "profile", "email", "groups", "offline_access"]
    username_claim: str = "preferred_username"
    allowed_groups: list[str] = ["imagine-users"]
    """A user in none of these groups is told so and gets no server."""
    admin_groups: list[str] = ["imagine-admins"]
    timeout: float = Field(default=60, gt=0)
    """Seconds that the IAM may take for an answer. A renewal that is given up may have used up the refresh token."""
    patience: float = Field(default=5, gt=0)
    """Seconds that a page waits for the IAM before it goes on with what is known."""
    grace: float = Field(default=1800, ge=0)
    """Seconds for which a user's rights are believed while the IAM does not answer."""
    reconcile_interval: float = Field(default=300, gt=0)
    """Seconds within which everyone who has a server or a token is looked at again."""
    work_goes_on: float = Field(default=86400, ge=0)
    """Seconds that servers outlive a sign-in whose tokens have ended, which says nothing about the rights."""


class StorageSettings(Section):
    """The users' Nextcloud."""

    url: str = "http://127.0.0.1:8002"
    """Base address: ``<url>/remote.php/dav/files/USER`` is a user's root."""
    by_sign_in: bool = True
    """Whether it gives keys for the IAM's tokens (``user_oidc`` with bearer tokens); else users link by consent."""
    others: list[str] = []
    """Other Nextclouds that users may link: hosts such as ``cloud.example.org`` or ``*.example.org``, never in the
    operator's own network, unless written in full with the port."""


class PlatformSettings(Section):
    """The service at ``/services/imagine``."""

    listen: str = "127.0.0.1:8005"
    database_url: str = "sqlite:///platform.sqlite"
    """Any SQLAlchemy URL of SQLite or PostgreSQL (``postgresql+psycopg://…``)."""
    model_store: str = "model-store"
    """Any fsspec URL, or a folder: where the packages of shared models are kept."""
    token_file: Path | None = None
    """The service's own hub token."""
    max_file_bytes: int = Field(default=2 * 1024**3, gt=0)
    """The largest file a model package may hold."""
    probe_seconds: float = Field(default=15, gt=0)
    """How often the controller looks at each service."""


class HardwareProfile(Section):
    """A choice on the spawn page."""

    title: str
    cpu: float = Field(gt=0)
    memory_mb: int = Field(gt=0)
    gpu: int = Field(default=0, ge=0)
    groups: list[str] = []
    """Who may choose it; empty: everyone."""


class SpawnSettings(Section):
    """How notebook servers are started."""

    profiles: dict[str, HardwareProfile] = {
        "small": HardwareProfile(title="Small", cpu=1, memory_mb=4096),
        "standard": HardwareProfile(title="Standard", cpu=2, memory_mb=8192),
    }
    start_timeout: int = Field(default=120, gt=0)
    """Seconds a server may take from *Start* to its first answer."""


class LocalSettings(Section):
    """Laptop mode only."""

    agent_socket: Path | None = None
    """The supervisor's socket: it alone allocates accounts and mounts storage."""


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid")

    public_url: str = "http://127.0.0.1:8000"
    """What a user types into the browser."""
    state: Path = Path(".local/state/hub")
    """The hub's own folder: database, cookie secret."""
    hub_listen: str = "127.0.0.1:8003"
    """Where the hub itself answers, behind the proxy."""
    proxy_api: str = "http://127.0.0.1:8004"
    """Where the proxy takes its routes."""
    proxy_token_file: Path | None = None
    catalogue: str = str(PROJECT / "images")
    """A folder with one module a folder, or the URL of an index."""
    audit_file: Path | None = None
    """Who signed in, started a server, shared or was refused: a JSON line each. Without it: on standard output."""
    operator_token_file: Path | None = None
    """The hub token of ``imagine-hub``, with which the people who run the workspace speak to the hub."""
    iam: IAMSettings = IAMSettings()
    storage: StorageSettings = StorageSettings()
    platform: PlatformSettings = PlatformSettings()
    spawn: SpawnSettings = SpawnSettings()
    local: LocalSettings = LocalSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give the order: arguments, environment, the YAML file."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls, _settings_file())


def load(**overrides: Any) -> Settings:
    """Read the settings.

    Parameters
    ----------
    **overrides
        Top-level settings that win over the file and the environment.

    Returns
    -------
    Settings

    Raises
    ------
    SettingsError
        The file is missing or no YAML, or a key is unknown or has a value that cannot be used.
    """
    _check_variables()
    path = _settings_file()
    if path and not path.is_file():
        raise SettingsError(f"The settings file {path} named by IMAGINE_SETTINGS does not exist.")
    try:
        return Settings(**overrides)
    except yaml.YAMLError as error:
        raise SettingsError(f"The settings file {path} is not valid YAML: {error}") from None
    except UnreadableVariable as error:
        raise SettingsError(f"A variable IMAGINE_… is no valid JSON: {error}.") from None
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(detail) for detail in error.errors())) from None


def _check_variables() -> None:
    """Refuse a variable that looks like a setting and is none: it would be ignored in silence."""
    for name in os.environ:
        section, nested, _ = name.upper().removeprefix(PREFIX).partition("__")
        if name.upper().startswith(PREFIX) and nested and section.lower() not in Settings.model_fields:
            known = [field.upper() for field in Settings.model_fields]
            close = difflib.get_close_matches(section, known, n=1)
            hint = f"did you mean {PREFIX}{close[0]}__…?" if close else f"there are {', '.join(sorted(known))}."
            raise SettingsError(f"The variable {name} sets nothing: {hint}")


def read_secret(path: Path | None) -> str:
    """Return the secret that a file holds, or an empty text where no file is set."""
    return path.read_text().strip() if path else ""


def _settings_file() -> Path | None:
    name = os.environ.get("IMAGINE_SETTINGS")
    return Path(name) if name else None


def _sentence(detail: Any) -> str:
    where = ".".join(str(part) for part in detail["loc"])
    if detail["type"] != "extra_forbidden":
        return f"Setting {where}: {detail['msg'].lower()} (got {detail['input']!r})"
    known = _known_keys(Settings, detail["loc"][:-1])
    close = difflib.get_close_matches(str(detail["loc"][-1]), known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(sorted(known))}."
    return f"Setting {where} does not exist: {hint}"


def _known_keys(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation if part in model.model_fields else HardwareProfile
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return sorted(HardwareProfile.model_fields)
        model = annotation
    return sorted(model.model_fields)
