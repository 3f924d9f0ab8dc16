"""Get a key to a user's Nextcloud for one server, with the user's own sign-in and without a second consent."""

from __future__ import annotations

import httpx

from imagine_lib.storage.credentials import Credential

SECONDS = 15
NAME = "iMagine workspace"
"""What each key is called in the user's list of app passwords: a Nextcloud takes it from the User-Agent."""

HEADERS = {"OCS-APIRequest": "true", "Accept": "application/json", "User-Agent": NAME}


class LinkError(Exception):
    """The storage gave no key; the message says why and what happens instead."""


async def link(url: str, access_token: str) -> Credential:
    """Ask a Nextcloud for an app password.

    Parameters
    ----------
    url
        Its base address.
    access_token
        The user's, from the IAM.

    Returns
    -------
    Credential

    Raises
    ------
    LinkError
        It does not answer, or does not take the token.
    """
    headers = HEADERS | {"Authorization": f"Bearer {access_token}"}
    try:
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=SECONDS, trust_env=False) as client:
            password = await client.get("/ocs/v2.php/core/getapppassword")
            user = await client.get("/ocs/v2.php/cloud/user")
        password.raise_for_status()
        user.raise_for_status()
        return Credential(
            url=url, user=user.json()["ocs"]["data"]["id"], password=password.json()["ocs"]["data"]["apppassword"]
        )
    except httpx.HTTPStatusError as error:
        raise LinkError(
            f"Your storage at {url} refused a key ({error.response.status_code}); the server starts without it."
        ) from None
    except (httpx.HTTPError, ValueError, KeyError):
        raise LinkError(f"Your storage at {url} does not answer; the server starts without it.") from None


async def unlink(credential: Credential) -> None:
    """Give an app password back; a storage that does not answer keeps it."""
    auth = (credential.user, credential.password.get_secret_value())
    try:
        async with httpx.AsyncClient(auth=auth, headers=HEADERS, timeout=SECONDS, trust_env=False) as client:
            await client.delete(f"{credential.url}/ocs/v2.php/core/apppassword")
    except httpx.HTTPError:
        return
