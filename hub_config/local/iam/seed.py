"""Puts groups, users and clients into the IAM; running it again undoes nothing that people have changed.

Reads one JSON object from standard input, so that no password and no secret is in a process list, and prints
one that says what it did.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from . import state

if TYPE_CHECKING:
    from .models import User


class Entry(BaseModel):
    """A part of the input; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class SeedUser(Entry):
    """An account, approved from the start."""

    username: str
    password: str
    email: str
    name: str
    groups: list[str] = []
    admin: bool = False
    """Also a member of the administrators' group."""


class SeedClient(Entry):
    """An application that signs people in here."""

    id: str
    secret: str = Field(min_length=24)
    """A random one: it is checked at each token request, so it is hashed without much stretching."""
    name: str
    redirect_uris: list[str]
    post_logout_redirect_uris: list[str] = []
    scopes: list[str] = ["openid", "profile", "email", "groups", "offline_access"]
    trusted: bool = True
    """A trusted one is run by the operator: people are not asked for consent."""


class Seed(Entry):
    """Everything that can be put in."""

    groups: list[str] = []
    users: list[SeedUser] = []
    clients: list[SeedClient] = []


def apply(seed: Seed) -> dict[str, list[str]]:
    """Create what is missing, and make the clients as described.

    Parameters
    ----------
    seed
        What there is to be. An existing user is left alone, password and groups included.

    Returns
    -------
    dict
        ``users_created`` and ``clients``: usernames and client ids.
    """
    from django.contrib.auth.models import Group
    from django.db import transaction

    with transaction.atomic():
        for name in seed.groups:
            Group.objects.get_or_create(name=name)
        created = [user.username for user in seed.users if _create_user(user)]
        for client in seed.clients:
            _put_client(client)
    return {"users_created": created, "clients": [client.id for client in seed.clients]}


def _create_user(entry: SeedUser) -> User | None:
    from allauth.account.models import EmailAddress
    from django.conf import settings
    from django.contrib.auth.models import Group

    from .models import User, validate_username

    validate_username(entry.username)
    if User.objects.filter(username=entry.username).exists():
        return None
    user = User(username=entry.username, email=entry.email, name=entry.name)
    user.set_password(entry.password)
    user.save()
    names = {*entry.groups, settings.ADMIN_GROUP} if entry.admin else set(entry.groups)
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in names])
    EmailAddress.objects.create(user=user, email=entry.email, primary=True, verified=True)
    return user


def _put_client(entry: SeedClient) -> None:
    from allauth.idp.oidc.models import Client
    from django.contrib.auth.hashers import PBKDF2PasswordHasher

    client = Client.objects.filter(id=entry.id).first() or Client(id=entry.id, secret="")
    client.name = entry.name
    client.skip_consent = entry.trusted
    client.set_grant_types([Client.GrantType.AUTHORIZATION_CODE, Client.GrantType.REFRESH_TOKEN])
    client.set_scopes(entry.scopes)
    client.set_default_scopes(["openid"])
    client.set_redirect_uris(entry.redirect_uris)
    client.set_post_logout_redirect_uris(entry.post_logout_redirect_uris)
    if not client.check_secret(entry.secret):
        hasher = PBKDF2PasswordHasher()
        client.secret = hasher.encode(entry.secret, hasher.salt(), iterations=1000)
    client.save()


def main() -> None:
    """Read the seed and apply it."""
    from django.core import exceptions

    try:
        seed = Seed.model_validate_json(sys.stdin.buffer.read())
        state.prepare()
        done = apply(seed)
    except state.StartError as error:
        sys.exit(str(error))
    except ValidationError as error:
        # Without the input: it holds passwords.
        problems = [f"{'.'.join(map(str, e['loc'])) or 'the JSON'}: {e['msg']}" for e in error.errors()]
        sys.exit(f"The seed cannot be read: {'; '.join(problems)}.")
    except exceptions.ValidationError as error:
        sys.exit(f"The seed cannot be used: {' '.join(error.messages)}")
    sys.stdout.write(json.dumps(done) + "\n")


if __name__ == "__main__":
    main()
