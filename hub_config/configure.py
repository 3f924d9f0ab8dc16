"""Turn ``Settings`` into JupyterHub's configuration."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from tornado.web import StaticFileHandler

from hub_config.audit import write_to
from hub_config.link.handlers import StoragePage
from hub_config.platform_client import PlatformClient
from hub_config.settings import Settings, read_secret
from hub_config.signin.authenticator import NOT_IN_A_GROUP, IAMAuthenticator
from hub_config.signin.handlers import TOKEN_SCOPE
from hub_config.signin.operations import OPERATE_SCOPE, read_notice
from hub_config.statuspage import StatusPage

PAGES = Path(__file__).parent / "pages"
CRYPT_KEY_BYTES = 32
SECONDS_BETWEEN_ROUTE_CHECKS = 10
"""A proxy that was restarted has forgotten all servers, until the hub compares its routes."""

SECONDS_TO_NOTICE = 5
"""Until the hub sees that a server has ended by itself; a look at a process costs nothing."""

HEADERS = {"X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"}
"""Of every page of the hub. A page that a browser keeps for Back would show the next person a token that was made on
it; static files say themselves how long they keep."""


def configure(c: Any, settings: Settings) -> None:
    """Configure the hub.

    Parameters
    ----------
    c
        JupyterHub's configuration object.
    settings
        What the operator chose.
    """
    client = PlatformClient(settings.platform.address)
    _pages(c, settings, client)
    _signin(c, settings)
    _platform(c, settings)
    if settings.spawn.spawner == "kubernetes":
        _servers_as_pods(c, settings, client)
    else:
        _this_machine(c, settings)
        _servers_as_processes(c, settings)


def _pages(c: Any, settings: Settings, client: PlatformClient) -> None:
    c.JupyterHub.subdomain_host = settings.public_url if settings.subdomains else ""
    c.JupyterHub.template_paths = [str(PAGES / "templates")]
    c.JupyterHub.template_vars = {
        "account_url": settings.iam.account_url,
        "notice": lambda _user: read_notice(settings.state),
    }
    c.JupyterHub.logo_file = str(PAGES / "static" / "logo.svg")
    c.JupyterHub.extra_handlers = [
        (r"/imagine/static/(.*)", StaticFileHandler, {"path": str(PAGES / "static")}),
        (r"/imagine/storage", StoragePage, {"settings_of_storage": settings.storage}),
        (r"/imagine/status", StatusPage, {"platform": client}),
    ]
    c.JupyterHub.tornado_settings = {**c.JupyterHub.get("tornado_settings", {}), "headers": HEADERS}


def _this_machine(c: Any, settings: Settings) -> None:
    """Say where hub and proxy are; on Kubernetes the chart does."""
    host, _, port = settings.hub_listen.partition(":")
    c.JupyterHub.hub_bind_url = f"http://{host}:{port}/hub/"
    c.JupyterHub.hub_connect_url = f"http://{settings.hub_listen}"
    c.JupyterHub.bind_url = f"{settings.public_url}/"
    c.JupyterHub.db_url = f"sqlite:///{settings.state / 'hub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(settings.state / "cookie_secret")
    c.JupyterHub.cleanup_servers = True
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = settings.proxy_api
    c.ConfigurableHTTPProxy.auth_token = read_secret(settings.proxy_token_file)
    c.JupyterHub.last_activity_interval = SECONDS_BETWEEN_ROUTE_CHECKS


def _signin(c: Any, settings: Settings) -> None:
    iam = settings.iam
    write_to(settings.audit_file)
    c.JupyterHub.authenticator_class = IAMAuthenticator
    c.CryptKeeper.keys = _crypt_keys(settings.crypt_keys_file or settings.state / "crypt_keys")
    signin = c.IAMAuthenticator
    signin.login_service, signin.issuer = iam.name, iam.issuer
    signin.client_id, signin.client_secret = iam.client_id, read_secret(iam.client_secret_file)
    signin.state_folder = str(settings.state)
    signin.after_logout_url = f"{settings.public_url}/hub/"
    signin.oauth_callback_url = f"{settings.public_url}/hub/oauth_callback"
    signin.scope, signin.username_claim = iam.scopes, iam.username_claim
    signin.enable_auth_state = signin.manage_groups = signin.enable_pkce = True
    signin.refresh_pre_spawn = signin.auth_refresh_strict = True
    signin.timeout, signin.patience, signin.grace = iam.timeout, iam.patience, iam.grace
    signin.reconcile_interval, signin.work_goes_on = iam.reconcile_interval, iam.work_goes_on
    signin.allowed_groups, signin.admin_groups = set(iam.allowed_groups), set(iam.admin_groups)
    signin.custom_403_message = NOT_IN_A_GROUP


def _servers_as_processes(c: Any, settings: Settings) -> None:
    from hub_config.spawn.local import LocalSpawner

    c.JupyterHub.spawner_class = LocalSpawner
    c.LocalSpawner.poll_interval = SECONDS_TO_NOTICE
    c.LocalSpawner.env_keep = ["LANG", "LC_ALL", "TZ", "IMAGINE_WORKSPACE"]
    _every_server(c.LocalSpawner, settings)


def _servers_as_pods(c: Any, settings: Settings, client: PlatformClient) -> None:
    from hub_config.spawn.kubernetes import PodSpawner
    from hub_config.spawn.pods import fixed_traits

    c.JupyterHub.spawner_class = PodSpawner
    c.PodSpawner.env_keep = []
    c.PodSpawner.platform_client = client
    c.PodSpawner.hub_connect_url = f"http://{settings.hub_listen}"  # servers are in another namespace
    c.PodSpawner.update(fixed_traits(settings.kubernetes))
    _every_server(c.PodSpawner, settings)


def _every_server(spawner: Any, settings: Settings) -> None:
    from hub_config.spawn.mixin import FIRST_PAGE

    spawner.settings = settings
    spawner.default_url = FIRST_PAGE
    spawner.start_timeout = spawner.http_timeout = settings.spawn.start_timeout
    spawner.server_token_scopes = [
        "users:activity!user",
        "access:servers!server",
        "access:services!service=imagine",
        "read:users:name!user",
        "read:users:groups!user",
        TOKEN_SCOPE,
    ]


def _platform(c: Any, settings: Settings) -> None:
    c.JupyterHub.custom_scopes = {
        TOKEN_SCOPE: {"description": "Borrow an access token of the IAM"},
        OPERATE_SCOPE: {"description": "Put users out, show a banner, start no new servers"},
    }
    operator_token = read_secret(settings.operator_token_file)
    platform = {
        "name": "imagine",
        "url": settings.platform.address,
        "api_token": read_secret(settings.platform.token_file),
        "display": False,
    }
    # A chart has services and roles of its own, which stay.
    c.JupyterHub.services = [
        *c.JupyterHub.get("services", []),
        platform,
        {"name": "imagine-operator", "api_token": operator_token, "display": False},
    ]
    c.JupyterHub.load_roles = [
        *c.JupyterHub.get("load_roles", []),
        {"name": "imagine-operator", "services": ["imagine-operator"], "scopes": [OPERATE_SCOPE]},
        {"name": "user", "scopes": ["self", "access:services!service=imagine", TOKEN_SCOPE]},
        {"name": "imagine-platform", "services": ["imagine"], "scopes": ["read:users:name", "read:users:groups"]},
    ]


def _crypt_keys(path: Path) -> list[bytes]:
    """Return the keys that users' tokens and storage keys are encrypted with; the first call makes one.

    One a line, in hexadecimal: the first encrypts, all decrypt.
    """
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_hex(CRYPT_KEY_BYTES) + "\n")
        fresh.rename(path)
    return [bytes.fromhex(line) for line in path.read_text().split()]
