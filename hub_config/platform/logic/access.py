"""Who asks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """A signed-in user."""

    name: str
    admin: bool
    groups: frozenset[str]

    @property
    def audiences(self) -> list[str]:
        """Every audience that the user belongs to; being an admin is none, so private models stay private."""
        return ["everyone", f"user:{self.name}", *sorted(f"group:{group}" for group in self.groups)]
