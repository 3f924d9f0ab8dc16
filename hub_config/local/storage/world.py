"""What one visitor can reach: their home with the shares they received in its root, or one public link.

Every path of a request is looked up here and nowhere else; what comes out knows whose file it is and what may be done
with it. Whatever is not in the visitor's world has no name in it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .errors import Refused

if TYPE_CHECKING:
    from .homes import Homes, Node
    from .shares import Right, Share


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in someone's home, there or not, with the visitor's rights to it."""

    owner: str
    path: str
    rights: Right
    share: Share | None = None
    is_mount: bool = False
    """Whether the share itself begins here."""

    def below(self, parts: list[str]) -> Spot:
        """Return a place further down."""
        if not parts:
            return self
        path = "/".join(parts)
        return replace(self, path=f"{self.path}/{path}" if self.path else path, is_mount=False)

    def require(self, right: Right) -> None:
        """Raise 403 where the visitor lacks a right."""
        if right not in self.rights:
            raise Refused(403)


@dataclass(frozen=True)
class World:
    """A visitor's tree; ``prefix`` holds the segments of the address it begins at."""

    homes: Homes
    prefix: tuple[str, ...]
    visitor: str
    root: Spot
    mounts: dict[str, Share]

    def spot(self, parts: list[str]) -> Spot:
        """Return the place that a path leads to."""
        if parts and (share := self.mounts.get(parts[0])):
            return self.mount(share).below(parts[1:])
        return self.root.below(parts)

    def seat(self, parts: list[str]) -> tuple[str, str]:
        """Return what is held while a path changes; a received share itself changes in its receiver's root alone."""
        spot = self.spot(parts)
        return (self.visitor, parts[0]) if spot.is_mount else (spot.owner, spot.path)

    def node(self, spot: Spot) -> Node | None:
        """Return what lies at a place."""
        return self.homes.find(spot.owner, spot.path)

    def names(self, spot: Spot, node: Node) -> list[str]:
        """Return the names of what lies in a folder, received shares after the visitor's own."""
        own = self.homes.names(node)
        if spot != self.root or not self.mounts:
            return own
        return [name for name in own if unicodedata.normalize("NFC", name) not in self.mounts] + list(self.mounts)

    def member(self, spot: Spot, node: Node, name: str) -> tuple[Spot, Node] | None:
        """Look up what lies in a folder by a name of ``names``."""
        if spot == self.root and (share := self.mounts.get(name)):
            place = self.mount(share)
            found = self.node(place)
        else:
            found = self.homes.member(node, name)
            place = spot.below([found.name]) if found else spot
        return (place, found) if found else None

    @staticmethod
    def mount(share: Share) -> Spot:
        """Return the place where a received share begins."""
        return Spot(share.owner, share.path, share.permissions, share, is_mount=True)
