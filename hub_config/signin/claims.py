"""From an IAM's claims to plain group names: ``imagine``, ``imagine/dev``, ``access/imagine/ap-u``.

Each IAM puts groups elsewhere and writes them differently; nothing else in the hub needs to know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

ENTITLEMENT = re.compile(r"urn:[^#]*?:group:(?P<path>[^#]+?)(?::role=(?P<role>[^#:]+))?(?:#.*)?")
"""AARC G069: ``urn:<namespace>:group:<group>[:<subgroup>…][:role=<role>][#<authority>]``."""


def normalise_groups(claims: Mapping[str, Any]) -> list[str]:
    """Return the groups that a user's claims name.

    Parameters
    ----------
    claims
        Of the userinfo or the id token, of any of the IAMs that are known to be used.

    Returns
    -------
    list of str
        Sorted, without duplicates, without slashes at their ends; levels are parted by ``/``.
    """
    found = {*_plain(claims.get("groups")), *_plain(claims.get("wlcg.groups")), *_plain(claims.get("roles"))}
    for key in ("eduperson_entitlement", "entitlements"):
        found |= {group for text in _texts(claims.get(key)) for group in _from_entitlement(text)}
    realm = claims.get("realm_access")
    if isinstance(realm, Mapping):
        found |= {role.replace(":", "/") for role in _texts(realm.get("roles"))}
    return sorted(found)


def _plain(value: Any) -> list[str]:
    return [name.strip("/") for name in _texts(value) if name.strip("/")]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, (list, tuple)) else []


def _from_entitlement(text: str) -> list[str]:
    found = ENTITLEMENT.fullmatch(text)
    return [found["path"].replace(":", "/").strip("/")] if found else []
