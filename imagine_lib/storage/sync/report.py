"""What a sync says that it did."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class SyncReport:
    """What a sync did, or would do; by path below the folder."""

    uploaded: list[str] = field(default_factory=list)
    downloaded: list[str] = field(default_factory=list)
    deleted_here: list[str] = field(default_factory=list)
    deleted_there: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    """Changed on both sides and left alone: keep one by giving the other another name, then sync again."""
    failed: dict[str, str] = field(default_factory=dict)
    """What could not be done, and why."""
    left_out: dict[str, str] = field(default_factory=dict)
    """What is never synced, and why."""
    unchanged: int = 0
    dry_run: bool = False

    def __str__(self) -> str:
        would = "would be " if self.dry_run else ""
        counts = {
            "uploaded": self.uploaded,
            "downloaded": self.downloaded,
            "deleted here": self.deleted_here,
            "deleted there": self.deleted_there,
        }
        done = ", ".join(f"{len(paths)} {would}{what}" for what, paths in counts.items() if paths) or "nothing to do"
        lines = [f"{done}; {self.unchanged} unchanged."]
        deleted = "Would be deleted" if self.dry_run else "Deleted"
        lines += [f"{deleted} here: {path}" for path in self.deleted_here]
        lines += [f"{deleted} there: {path}" for path in self.deleted_there]
        lines += [f"Conflict, left alone: {path}" for path in self.conflicts]
        lines += [f"Failed: {path}: {why}" for path, why in sorted(self.failed.items())]
        lines += [f"Left out: {path}: {why}" for path, why in sorted(self.left_out.items())]
        return "\n".join(lines)
