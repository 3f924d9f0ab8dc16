"""Groups as the production IAMs write them, so that settings for one of them can be tried without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _entitlements(groups: Sequence[str], form: str) -> list[str]:
    return [form.format(group.replace("/", ":")) for group in groups]


DRESSES: dict[str, Callable[[Sequence[str]], dict[str, Any]]] = {
    "plain": lambda groups: {"groups": list(groups)},
    "indigo": lambda groups: {"groups": list(groups), "organisation_name": "indigo-dc"},
    "indigo-wlcg": lambda groups: {"wlcg.groups": [f"/{group}" for group in groups], "wlcg.ver": "1.0"},
    "indigo-aarc": lambda groups: {"eduperson_entitlement": _entitlements(groups, "urn:geant:iam:example:group:{}")},
    "indigo-keycloak": lambda groups: {"roles": list(groups)},
    "egi": lambda groups: {
        "eduperson_entitlement": _entitlements(groups, "urn:mace:egi.eu:group:{}:role=member#aai.egi.eu")
    },
    "ai4eosc": lambda groups: {"realm_access": {"roles": [group.replace("/", ":") for group in groups]}},
    "keycloak": lambda groups: {"groups": [f"/{group}" for group in groups]},
}
"""By the name of ``IMAGINE_IAM_DRESS``: from plain names of groups to claims."""
