"""One rule for every list: a page, how many there are in all, and where the next page begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, Field

from imagine_lib.wire import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

Item = TypeVar("Item")


class Paging(BaseModel):
    """Which part of a list is wanted."""

    offset: int = Field(default=0, ge=0, le=2**31 - 1)
    limit: int = Field(default=50, ge=1, le=200)

    def page(self, items: Sequence[Item], total: int) -> Page[Item]:
        """Return the page that holds these items."""
        end = self.offset + len(items)
        return Page(items=list(items), total=total, next=end if items and end < total else None)

    def cut(self, items: Sequence[Item]) -> Page[Item]:
        """Return the wanted part of a whole list."""
        return self.page(items[self.offset : self.offset + self.limit], len(items))
