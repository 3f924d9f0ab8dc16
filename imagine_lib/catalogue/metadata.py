"""Read a module's metadata, in today's form (``ai4-metadata.yml``) or the older one (``metadata.json``).

Real files are read as they are: what is missing or odd becomes a warning on the entry, never an error for the others.
"""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from imagine_lib.errors import CatalogueError
from imagine_lib.wire import CatalogueEntry, Hardware, ModelManifest

CURRENT = "ai4-metadata.yml"
OLDER = "metadata.json"
REQUIRED = (
    "metadata_version",
    "title",
    "summary",
    "description",
    "links",
    "libraries",
    "tasks",
    "categories",
    "tags",
)
EXTENSION = "x-imagine"

LONGEST = 200_000
"""Characters of one text; a longer one is cut."""


def parse_metadata(folder: str, file_name: str, text: str, manifest: ModelManifest | None) -> CatalogueEntry:
    """Turn a metadata file into a catalogue entry.

    Parameters
    ----------
    folder
        Name of the module's folder; the short name where the file gives none.
    file_name
        ``ai4-metadata.yml`` or ``metadata.json``.
    text
        The file's content.
    manifest
        Of the module's model package, where it has one.

    Returns
    -------
    CatalogueEntry

    Raises
    ------
    CatalogueError
        The file is no YAML or JSON mapping.
    """
    try:
        raw = json.loads(text) if file_name == OLDER else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise CatalogueError(f"{folder}/{file_name} cannot be read: {first}.") from None
    if not isinstance(raw, dict):
        raise CatalogueError(f"{folder}/{file_name} holds no keys and values.")
    fields = _from_older(raw) if file_name == OLDER else _from_current(raw)
    ours = _mapping(raw.get(EXTENSION))
    return CatalogueEntry(name=_short_name(ours.get("name") or folder), **fields, **_ours(ours, manifest))


def _from_current(raw: dict[str, Any]) -> dict[str, Any]:
    missing = [f"The metadata has no {key!r}." for key in REQUIRED if not raw.get(key)]
    dates = _mapping(raw.get("dates"))
    return {
        "title": _text(raw.get("title")) or "Untitled module",
        "summary": _text(raw.get("summary")),
        "description": _text(raw.get("description")),
        "tasks": _texts(raw.get("tasks")),
        "categories": _texts(raw.get("categories")),
        "libraries": _texts(raw.get("libraries")),
        "tags": _texts(raw.get("tags")),
        "data_types": _texts(raw.get("data-type")),
        "links": _links(raw.get("links")),
        "created": _text(dates.get("created")) or None,
        "updated": _text(dates.get("updated")) or None,
        "warnings": missing,
    }


def _from_older(raw: dict[str, Any]) -> dict[str, Any]:
    description = raw.get("description")
    sources = _links(raw.get("sources"))
    links = {"source_code": sources.get("code", ""), "weights": sources.get("pre_trained_weights", "")}
    return {
        "title": _text(raw.get("title")) or "Untitled module",
        "summary": _text(raw.get("summary")),
        "description": "\n".join(_texts(description)) if isinstance(description, list) else _text(description),
        "tags": _texts(raw.get("keywords")),
        "links": {key: value for key, value in links.items() if value},
        "created": _text(raw.get("date_creation")) or None,
        "warnings": ["The metadata is in the older form (metadata.json)."],
    }


def _ours(ours: dict[str, Any], manifest: ModelManifest | None) -> dict[str, Any]:
    known = set(Hardware.model_fields)
    hardware = _mapping(ours.get("hardware"))
    found: dict[str, Any] = {
        "hardware": Hardware(**{key: value for key, value in hardware.items() if key in known}),
        "launchable": bool(ours.get("launchable", False)),
    }
    if manifest is not None:
        found |= {"classes": manifest.classes, "metrics": manifest.metrics, "status": manifest.status}
    return found


def _short_name(name: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", str(name).lower()).strip("-._")[:64] or "module"


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """Take a scalar as text; anything deeper is no text, and YAML's aliases can make it unfold to gigabytes."""
    return "" if value is None or isinstance(value, (dict, list)) else str(value).strip()[:LONGEST]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [_text(item) for item in value if _text(item)] if isinstance(value, list) else []


def _links(value: Any) -> dict[str, str]:
    return {
        str(key): link for key, link in _mapping(value).items() if isinstance(link, str) and link.startswith("http")
    }
