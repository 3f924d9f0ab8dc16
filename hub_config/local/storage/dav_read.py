"""GET and HEAD: files with ranges and conditions, folders as one streamed archive.

WsgiDAV's own GET is not used: it stats, answers and only then opens the file, so an upload in between mixes the old
length with the new content; of several ranges it serves the first where Nextcloud sends the whole; and it knows no
archive.
"""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import IO, TYPE_CHECKING
from urllib.parse import quote

from .archive import archive
from .conditions import check, check_if, matches_range
from .disk import etag, open_file
from .errors import Refused
from .http import BLOCK, Response
from .shares import Right

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .dav_entry import Entry, Visit

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def get(visit: Visit, parts: list[str]) -> Response:
    """Send a file or a folder."""
    entry = visit.find(parts)
    if entry is None:
        raise Refused(404, f"File with name /{'/'.join(parts)} could not be located")
    if Right.READ not in entry.spot.rights:
        raise Refused(405)
    response = _folder(entry) if entry.is_folder else _file(entry)
    if visit.request.method == "HEAD":
        response.body = ()
    return response


def _file(entry: Entry) -> Response:
    request = entry.visit.request
    try:
        stream, status = open_file(entry.node.disk)
    except OSError:
        raise Refused(404, f"File with name /{'/'.join(entry.parts)} could not be located") from None
    try:
        tag, modified, size = etag(status), status.st_mtime_ns // 10**9, status.st_size
        check(request, tag, modified)
        check_if(request, list(entry.parts), lambda _: tag)
        wanted = _range(request.header("Range"), size) if matches_range(request, tag, modified) else None
    except BaseException:
        stream.close()
        raise
    first, last = wanted or (0, size - 1)
    kind = entry.content_type
    headers = [
        ("Content-Type", f"{kind};charset=UTF-8" if kind.startswith("text/") else kind),
        ("Content-Length", str(last - first + 1)),
        ("Last-Modified", formatdate(modified, usegmt=True)),
        ("ETag", f'"{tag}"'),
        ("OC-ETag", f'"{tag}"'),
        ("Content-Disposition", _attachment(entry.name)),
    ]
    record = entry.visit.services.nodes.known(entry.node)
    if record and record.checksum:
        headers.append(("OC-Checksum", record.checksum))
    if wanted:
        headers.append(("Content-Range", f"bytes {first}-{last}/{size}"))
    return Response(206 if wanted else 200, headers, _blocks(stream, first, last - first + 1))


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return first and last byte, None for the whole file (no range, several, or not understood)."""
    match = _RANGE.fullmatch((header or "").replace(" ", ""))
    if match is None or not any(match.groups()) or not size:  # as on Nextcloud: of nothing there is no part
        return None
    start, end = match.groups()
    if not start:
        first, last = max(0, size - int(end)), size - 1
    else:
        # As on Nextcloud: a last byte of 0 is taken for none, and the whole file is sent.
        first, last = int(start), min(int(end), size - 1) if end and int(end) else size - 1
        if end and 0 < int(end) < first:
            return None
    if first >= size:
        raise Refused(416, "The requested range lies beyond the end.", headers=[("Content-Range", f"bytes */{size}")])
    return first, last


def _blocks(stream: IO[bytes], start: int, length: int) -> Iterator[bytes]:
    with stream:
        stream.seek(start)
        while length and (block := stream.read(min(BLOCK, length))):
            length -= len(block)
            yield block


def _folder(entry: Entry) -> Response:
    request = entry.visit.request
    if "application/zip" not in (request.header("Accept") or "") and request.query.get("accept") != "zip":
        return Response(200, [("Content-Type", "text/html; charset=UTF-8"), ("Content-Length", "0")])
    title = entry.name or "download"
    headers = [
        ("Content-Type", "application/zip"),
        ("Content-Disposition", _attachment(f"{title}.zip")),
    ]
    # As on Nextcloud: what lies in a home is packed below ``files``, beside an empty folder of the archive's name.
    return Response(200, headers, archive(entry, entry.name or "files", title))


def _attachment(name: str) -> str:
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", name)
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}; filename=\"{plain}\""
