"""One question to a Nextcloud: bounded in time and size, never led elsewhere, to an address that was looked at."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from hub_config.link.addresses import AddressError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_config.link.addresses import Addresses

SECONDS = 15
"""For the whole answer: one that comes a byte at a time does not hold anybody longer."""

CONNECT_SECONDS = 4
"""Until a name's next address is tried."""

LARGEST_ANSWER = 256 * 1024
HEADERS = {"OCS-APIRequest": "true", "Accept": "application/json", "Accept-Encoding": "identity"}
"""Not compressed: a few bytes could become gigabytes."""


NO_NEXTCLOUD = "{url} does not answer as a Nextcloud does: check the address."


class LinkError(Exception):
    """The storage gave no key; the message says why."""


class _EndlessError(Exception):
    """An answer is longer than any honest one."""


@dataclass(frozen=True)
class Answer:
    """What a Nextcloud said."""

    status: int
    document: Any
    """None where it is no JSON."""

    @property
    def is_success(self) -> bool:
        """Whether it did what it was asked."""
        return httpx.codes.is_success(self.status)

    def text(self, *path: str) -> str:
        """Return a text of the document; an empty one where there is none at this place."""
        found = self.document
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found if isinstance(found, str) else ""


@dataclass(frozen=True)
class Question:
    """What a Nextcloud is asked."""

    method: str
    url: str
    headers: Mapping[str, str]
    auth: tuple[str, str] | None = None
    form: Mapping[str, str] | None = None


async def ask(addresses: Addresses, question: Question) -> Answer:
    """Ask a Nextcloud.

    Parameters
    ----------
    addresses
        Which there may be.
    question
        What to ask, and where.

    Returns
    -------
    Answer

    Raises
    ------
    LinkError
        It does not answer, or answers without end; or it may not be asked.
    """
    url = httpx.URL(question.url)
    here = f"{url.scheme}://{url.netloc.decode()}"
    try:
        async with asyncio.timeout(SECONDS):
            return await _ask_first(await addresses.resolve(here), url, question)
    except AddressError as error:
        raise LinkError(str(error)) from None
    except _EndlessError:
        raise LinkError(NO_NEXTCLOUD.format(url=here)) from None
    except (TimeoutError, httpx.HTTPError):
        raise LinkError(f"Your storage at {here} does not answer.") from None


async def _ask_first(hosts: list[str], url: httpx.URL, question: Question) -> Answer:
    """Ask at the first address that takes a connection; by its name, which its certificate must hold."""
    headers = {**HEADERS, **question.headers, "Host": url.netloc.decode()}
    async with httpx.AsyncClient(timeout=httpx.Timeout(SECONDS, connect=CONNECT_SECONDS), trust_env=False) as client:
        for host in hosts:
            request = client.build_request(
                question.method,
                url.copy_with(host=host),
                headers=headers,
                data=question.form,
                extensions={"sni_hostname": url.host},
            )
            try:
                answer = await client.send(request, auth=question.auth, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if host == hosts[-1]:
                    raise
                continue
            return await _read(answer)
    raise LinkError(f"Your storage at {url} does not answer.")


async def _read(answer: httpx.Response) -> Answer:
    content = b""
    async for chunk in answer.aiter_raw():
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise _EndlessError
    try:
        return Answer(answer.status_code, json.loads(content))
    except (ValueError, RecursionError):
        return Answer(answer.status_code, None)
