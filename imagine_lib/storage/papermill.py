"""Lets papermill read and write notebooks at ``nextcloud:/…``; papermill finds it by entry point."""

from __future__ import annotations

from imagine_lib.storage.filesystem import NextcloudFileSystem


class NextcloudHandler:
    """What papermill asks of a place that holds notebooks."""

    @classmethod
    def read(cls, path: str) -> str:
        """Return a notebook's text."""
        content: bytes = NextcloudFileSystem().cat_file(path)
        return content.decode()

    @classmethod
    def write(cls, buf: str, path: str) -> None:
        """Store a notebook, and make the folders above it."""
        NextcloudFileSystem().pipe_file(path, buf.encode())

    @classmethod
    def listdir(cls, path: str) -> list[str]:
        """Return the paths in a folder."""
        return [f"nextcloud:/{name}" for name in NextcloudFileSystem().ls(path, detail=False)]

    @classmethod
    def pretty_path(cls, path: str) -> str:
        """Return the path as papermill prints it."""
        return path
