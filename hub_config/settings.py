"""Every knob of the hub and the platform, typed, in one place.

The file that ``IMAGINE_SETTINGS`` names (YAML) is read first; an environment variable wins over it:
``IMAGINE_IAM__ISSUER`` sets ``iam.issuer``. An unknown key in the file is refused, with the keys that exist.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource
from pydantic_settings.exceptions import SettingsError as UnreadableVariable

from hub_config.cluster import KubernetesSettings
from hub_config.hardware import SpawnSettings
from hub_config.sections import IAMSettings, LocalSettings, PlatformSettings, StorageSettings

PROJECT = Path(__file__).resolve().parent.parent

PREFIX = "IMAGINE_"
"""What the name of every variable that sets something begins with."""


class SettingsError(Exception):
    """The settings cannot be used; the message says which key and why."""


class Settings(BaseSettings):
    """All settings."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid")

    public_url: str = "http://127.0.0.1:8000"
    """What a user types into the browser."""
    subdomains: bool = False
    """Whether each user's server has a host of its own (``ada.workspace.example.org``), whose place in the browser no
    other server can read; it needs names and certificates for ``*.workspace.example.org``."""
    state: Path = Path(".local/state/hub")
    """The hub's own folder: database, cookie secret."""
    hub_listen: str = "127.0.0.1:8003"
    """Where the hub itself answers, behind the proxy."""
    proxy_api: str = "http://127.0.0.1:8004"
    """Where the proxy takes its routes."""
    proxy_token_file: Path | None = None
    crypt_keys_file: Path | None = None
    """Keys of users' tokens and storage keys, one a line in hexadecimal; by default made in the state folder."""
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
    kubernetes: KubernetesSettings = KubernetesSettings()
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


def _known_keys(kind: Any, path: tuple[Any, ...]) -> list[str]:
    """Return the keys at a place in the settings: each step leads into a group, or into a table or list of groups."""
    for part in path:
        is_group = isinstance(kind, type) and issubclass(kind, BaseModel)
        kind = kind.model_fields[part].annotation if is_group else get_args(kind)[-1]
    return sorted(kind.model_fields)
