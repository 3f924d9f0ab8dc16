"""Shares of data folders: with a person, a group, or by a link; what is shared with me."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from imagine_lib.errors import StorageError, UsageError
from imagine_lib.storage import errors
from imagine_lib.storage.filesystem import NextcloudFileSystem
from imagine_lib.storage.webdav.protocol import shown

if TYPE_CHECKING:
    from imagine_lib.storage.webdav.client import Nextcloud

SHARES = "apps/files_sharing/api/v1/shares"
_KINDS = {"user": 0, "group": 1, "link": 3}
_READ, _WRITE, _DROP = 1, 15, 4
_RIGHTS = {"read": _READ, "write": _WRITE, "drop": _DROP}
_MOST = "20 shares in 10 minutes"
_FAILED = {
    "POST": "cannot be shared so",
    "PUT": "cannot be changed so",
    "GET": "is not listed with its shares",
    "DELETE": "cannot be withdrawn",
}

Rights = Literal["read", "write", "drop"]


@dataclass(frozen=True)
class Share:
    """One share of a file or folder."""

    id: str
    path: str
    """``nextcloud:/…``, as the one who asks sees it."""
    kind: str
    """``user``, ``group`` or ``link``."""
    receiver: str
    """The user's or the group's id; empty for a link."""
    owner: str
    """The owner's id."""
    rights: int
    """Nextcloud's sum of read 1, update 2, create 4, delete 8 and share 16."""
    expires: date | None
    url: str
    """Of a link."""
    has_password: bool
    label: str


def create(
    uri: str,
    *,
    user: str = "",
    group: str = "",
    link: bool = False,
    rights: Rights = "read",
    password: str = "",
    expires: date | None = None,
    label: str = "",
    filesystem: NextcloudFileSystem | None = None,
) -> Share:
    """Share a file or folder with a user, with a group, or by a public link.

    Parameters
    ----------
    uri
        ``nextcloud:/path``.
    user, group, link
        With whom: one of them.
    rights
        ``read``; ``write`` to change, add and delete too; ``drop`` only to add.
    password
        Of a link.
    expires
        The last day.
    label
        What a link is called in the list of links.
    filesystem
        Whose storage; by default the signed-in user's.

    Raises
    ------
    UsageError
        None or several receivers were named.
    StorageError
        There is nothing at that path, the storage refuses, and why, or does not answer.
    """
    if sum(map(bool, (user, group, link))) != 1:
        raise UsageError("A share is for one user, one group, or a link: name one of them.")
    filesystem = filesystem or NextcloudFileSystem()
    path = filesystem._strip_protocol(uri)
    fields = {
        "path": f"/{path}",
        "shareType": str(_KINDS["user" if user else "group" if group else "link"]),
        "shareWith": user or group,
        "permissions": str(_RIGHTS[rights]),
        "password": password,
        "expireDate": expires.isoformat() if expires else "",
        "label": label,
    }
    wanted = {name: value for name, value in fields.items() if value}
    data = filesystem.run(_call(filesystem.client, "POST", SHARES, shown(path), wanted))
    return _share(data)


def given(uri: str = "", filesystem: NextcloudFileSystem | None = None) -> list[Share]:
    """List the shares that the signed-in user gave: of a file or folder, by default all."""
    filesystem = filesystem or NextcloudFileSystem()
    path = filesystem._strip_protocol(uri)
    fields = {"path": f"/{path}", "reshares": "true"} if path else {}
    found = filesystem.run(_call(filesystem.client, "GET", SHARES, shown(path), fields))
    return [_share(data) for data in found]


def received(filesystem: NextcloudFileSystem | None = None) -> list[Share]:
    """List what others share with the signed-in user."""
    filesystem = filesystem or NextcloudFileSystem()
    found = filesystem.run(_call(filesystem.client, "GET", SHARES, "nextcloud:/", {"shared_with_me": "true"}))
    return [_share(data | {"path": data["file_target"]}) for data in found]


def change(
    share_id: str,
    *,
    rights: Rights | None = None,
    password: str | None = None,
    expires: date | None = None,
    label: str | None = None,
    filesystem: NextcloudFileSystem | None = None,
) -> Share:
    """Change a share; what is None stays as it is.

    Raises
    ------
    UsageError
        That is no share's number.
    StorageError
        There is no such share, the storage refuses, or does not answer.
    """
    filesystem = filesystem or NextcloudFileSystem()
    fields = {
        "permissions": None if rights is None else str(_RIGHTS[rights]),
        "password": password,
        "expireDate": None if expires is None else expires.isoformat(),
        "label": label,
    }
    wanted = {name: value for name, value in fields.items() if value is not None}
    return _share(filesystem.run(_call(filesystem.client, "PUT", _path(share_id), f"share {share_id}", wanted)))


def withdraw(share_id: str, filesystem: NextcloudFileSystem | None = None) -> None:
    """End a share; its receivers keep what they have copied.

    Raises
    ------
    UsageError
        That is no share's number.
    StorageError
        There is no such share, or the storage does not answer.
    """
    filesystem = filesystem or NextcloudFileSystem()
    filesystem.run(_call(filesystem.client, "DELETE", _path(share_id), f"share {share_id}", {}))


def _path(share_id: str) -> str:
    if not str(share_id).isdecimal():
        raise UsageError(f"{share_id!r} is no share's number: take the one that the list of shares shows first.")
    return f"{SHARES}/{share_id}"


async def _call(cloud: Nextcloud, method: str, path: str, about: str, fields: dict[str, str]) -> Any:
    response = await cloud.ocs(method, path, about=about, fields=fields)
    if response.status_code == 429 and method != "POST":
        raise errors.locked_out()
    if response.status_code == 429:
        raise StorageError(f"Your storage takes no more than {_MOST}: share {about} again in ten minutes.")
    try:
        frame = response.json()["ocs"]
        message = str(frame["meta"].get("message") or "").rstrip(".")
    except (ValueError, KeyError, TypeError):
        raise StorageError(f"Your storage gave no answer about {about} that can be read; try again.") from None
    if response.is_success:
        return frame["data"]
    raise StorageError(f"{about} {_FAILED[method]}: {message or f'the storage answered {response.status_code}'}.")


def _share(data: Any) -> Share:
    data = data[0] if isinstance(data, list) else data
    kinds = {number: name for name, number in _KINDS.items()}
    kind = kinds.get(int(data["share_type"]), str(data["share_type"]))
    expiration = str(data.get("expiration") or "")[:10]
    return Share(
        id=str(data["id"]),
        path=f"nextcloud:{data['path']}",
        kind=kind,
        receiver="" if kind == "link" else str(data.get("share_with") or ""),
        owner=str(data.get("uid_owner") or ""),
        rights=int(data["permissions"]),
        expires=date.fromisoformat(expiration) if expiration else None,
        url=str(data.get("url") or ""),
        has_password=bool(data.get("password")),
        label=str(data.get("label") or ""),
    )
