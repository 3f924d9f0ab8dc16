"""The trained weights that torchvision names: where they lie, and what their sha256 begins with."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from imagine_lib.errors import UsageError

DEFAULT = "default"
SERVER = "IMAGINE_WEIGHTS_URL"

TERMS = (
    "From torchvision (code: BSD-3-Clause), which gives these weights no licence of their own; trained on "
    "ImageNet-1k, whose pictures are for non-commercial research and education."
)


@dataclass(frozen=True)
class Offer:
    """Weights that torchvision names for a builder."""

    name: str
    url: str
    """Where they lie, on the server of ``IMAGINE_WEIGHTS_URL`` if that is set."""
    pin: str | None
    """What their sha256 begins with."""
    licence: str
    recommended: bool
    """Whether ``default`` means them."""


def offers(builder: str) -> list[Offer]:
    """Return the weights that torchvision names for a builder.

    Raises
    ------
    UsageError
        torchvision has no such builder, or it is none for classification.
    """
    from torchvision import models

    known = models.list_models(module=models)
    if builder not in known and builder in models.list_models():
        raise UsageError(f"{builder} is no network for classification, and others have no trained weights here.")
    if builder not in known:
        raise UsageError(f"torchvision has no network {builder!r}; it has {', '.join(known)}.")
    named = models.get_model_weights(builder)
    return [
        Offer(
            name=entry.name,
            url=on_server(entry.url),
            pin=_pin_in(entry.url),
            licence=entry.meta.get("license", TERMS),
            recommended=entry is named.DEFAULT,
        )
        for entry in named
    ]


def offer(builder: str, name: str) -> Offer:
    """Return one of the weights that torchvision names.

    Raises
    ------
    UsageError
        torchvision names no such weights, or no such builder.
    """
    found = offers(builder)
    for entry in found:
        if entry.name == name or (entry.recommended and name.lower() == DEFAULT):
            return entry
    raise UsageError(
        f"There are no weights {name!r} of {builder}: torchvision has {', '.join(entry.name for entry in found)}, "
        "and `imagine weights list` shows what is on this machine."
    )


def _pin_in(url: str) -> str | None:
    """Return what the name of a file says of its sha256: ``f37072fd`` in ``resnet18-f37072fd.pth``."""
    found = re.search(r"-([0-9a-f]{8,64})\.\w+$", urlsplit(url).path)
    return found.group(1) if found else None


def on_server(url: str) -> str:
    """Put the server of ``IMAGINE_WEIGHTS_URL`` into one of torchvision's URLs.

    Raises
    ------
    UsageError
        The variable holds no address on the web.
    """
    address = os.environ.get(SERVER)
    if not address:
        return url
    with suppress(ValueError):
        server = urlsplit(address)
        if server.scheme in ("http", "https") and server.netloc:
            path = server.path.rstrip("/") + urlsplit(url).path
            return urlunsplit((server.scheme, server.netloc, path, "", ""))
    raise UsageError(f"{SERVER} is {address!r}, which is no address on the web like https://weights.example.org.")
