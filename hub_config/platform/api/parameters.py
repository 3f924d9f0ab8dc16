"""What may stand in an address, so that nothing odd gets further than here."""

from typing import Annotated

from fastapi import Path, Query

from hub_config.platform.logic.paging import Paging
from imagine_lib.wire import PackagePath, Sha256, Slug

Plain = r"^[^\x00-\x1f\x7f]*$"

Hash = Annotated[Sha256, Path()]
Name = Annotated[Slug, Path()]
Owner = Annotated[str, Path(max_length=255, pattern=Plain)]
File = Annotated[PackagePath, Path()]
Search = Annotated[str, Query(max_length=200, pattern=Plain)]
OfOwner = Annotated[str | None, Query(max_length=255, pattern=Plain)]
List = Annotated[Paging, Query()]
Version = Annotated[str, Path(pattern=r"^(?:latest|[1-9][0-9]{0,8})$", description="A number, or `latest`.")]


def number(version: str) -> int | None:
    """Return a version's number; None for ``latest``."""
    return None if version == "latest" else int(version)
