"""One file over HTTP, checked against its pinned hash while it arrives."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import httpx

from imagine_lib.errors import ModelError, UsageError
from imagine_lib.notebook import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

TIMEOUT = httpx.Timeout(30, connect=10)
"""Seconds: a machine without a network shall learn of it soon."""

REDIRECTS = 5
LARGEST = 8 * 1024**3
"""Bytes of the largest file that is taken: several times torchvision's largest."""

EVERY = 2.0
"""Seconds between two lines of progress."""


def download(
    url: str, target: Path, pins: Collection[str], progress: Callable[[int, int | None], None] | None = None
) -> str:
    """Fetch a file.

    Parameters
    ----------
    url
        ``http`` or ``https``.
    target
        Where it is written. After an error it holds a part of the file, which the caller throws away.
    pins
        What the sha256 must begin with, hexadecimal: each of them.
    progress
        Called with the bytes that have arrived and those that there are; by default a line now and then.

    Returns
    -------
    str
        The sha256.

    Raises
    ------
    UsageError
        The URL is none.
    ModelError
        There is no network, the server refuses or breaks off, or it is another file than was asked for.
    OSError
        The disk is full.
    """
    show, digest, done = progress or _Lines(), hashlib.sha256(), 0
    with _answering(url) as response, target.open("wb") as file:
        total = int(response.headers["content-length"]) if "content-length" in response.headers else None
        for chunk in _chunks(response, url):
            done += len(chunk)
            if done > LARGEST:
                raise ModelError(f"{without_secrets(url)} is larger than {LARGEST // 1024**3} GB: it is refused.")
            digest.update(chunk)
            file.write(chunk)
            show(done, total)
    found = digest.hexdigest()
    for pin in pins:
        if not found.startswith(pin):
            raise ModelError(
                f"{without_secrets(url)} is not the file that was asked for (its sha256 begins with "
                f"{found[: len(pin)]} instead of {pin}): nothing of it was kept."
            )
    return found


def without_secrets(url: str) -> str:
    """Return a URL without the passwords and signatures that it may carry.

    Raises
    ------
    UsageError
        The URL is none.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        shown = url.rpartition("@")[2].partition("?")[0]
        raise UsageError(f"{shown} is no address on the web: it must begin with https:// or http://.") from None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@contextmanager
def _answering(url: str) -> Iterator[httpx.Response]:
    """Give the answer that holds the file, redirects followed."""
    shown = without_secrets(url)
    try:
        with (
            httpx.Client(timeout=TIMEOUT, headers={"accept-encoding": "identity"}) as client,
            _following(client, url) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ModelError(f"{shown} answers {response.status_code}: the weights are not to be had there.")
            if response.headers.get("content-type", "").startswith("text/html"):
                raise ModelError(
                    f"{shown} gives a web page instead of the weights: a sign-in page may be in between."
                )
            yield response
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise ModelError(f"{shown} cannot be reached: there is no network, or the server is down.") from None
    except httpx.InvalidURL:
        raise UsageError(f"{shown} is no address on the web.") from None
    except httpx.HTTPError:
        raise ModelError(f"{shown} does not answer as a web server does: try again later.") from None


@contextmanager
def _following(client: httpx.Client, url: str) -> Iterator[httpx.Response]:
    """Follow redirects, never to another scheme: what was asked for over https shall not come over http."""
    shown, scheme = without_secrets(url), urlsplit(url).scheme
    if scheme not in ("http", "https"):
        raise UsageError(f"{shown} is no address on the web: it must begin with https:// or http://.")
    request = client.build_request("GET", url)
    for _ in range(REDIRECTS + 1):
        response = client.send(request, stream=True)
        try:
            if not response.has_redirect_location:
                yield response
                return
            there = urlsplit(response.headers["location"]).scheme or scheme
            if there != scheme or response.next_request is None:
                raise ModelError(f"{shown} leads on to another kind of address ({there}:): the download is refused.")
            request = response.next_request
        finally:
            response.close()
    raise ModelError(f"{shown} leads on and on and never to the weights.")


def _chunks(response: httpx.Response, url: str) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes(1024**2)
    except httpx.HTTPError:
        done = response.num_bytes_downloaded / 1e6
        raise ModelError(
            f"The download of {without_secrets(url)} broke off after {done:.1f} MB: try again."
        ) from None


class _Lines:
    """Says now and then how far a download is."""

    def __init__(self) -> None:
        self._last = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        if time.monotonic() - self._last >= EVERY:
            self._last = time.monotonic()
            of = f" of {total / 1e6:.0f}" if total else ""
            print(f"Fetched {done / 1e6:.0f}{of} MB", file=messages())
