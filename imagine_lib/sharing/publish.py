"""Publish a model package: the arguments are checked here, so that a typo costs no upload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from imagine_lib.errors import ModelError, UsageError
from imagine_lib.wire import Audience, Slug

if TYPE_CHECKING:
    from imagine_lib.models.package import ModelPackage
    from imagine_lib.sharing.client import PlatformClient
    from imagine_lib.wire import ModelVersion


def publish(client: PlatformClient, name: str, package: ModelPackage, audience: list[str]) -> ModelVersion:
    """Publish a package under a name; see :meth:`imagine_lib.model.Model.share`."""
    _check(
        Slug,
        name,
        f"{name!r} cannot be a model's name: use lower case letters, digits and dashes, like my-plankton.",
    )
    if not audience:
        raise UsageError("Nobody is named to share with: give to='everyone', 'group:NAME' or 'user:NAME'.")
    for who in audience:
        _check(Audience, who, f"{who!r} is nobody to share with: write everyone, group:NAME or user:NAME.")
    if not package.card:
        raise ModelError(f"The model in {package.folder} has no README.md: write what it is for before sharing it.")
    return client.publish(name, package, audience)


def _check(kind: Any, value: str, message: str) -> None:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        raise UsageError(message) from None
