"""The groups of settings that say where other services are."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A group of knobs; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


class IAMSettings(Section):
    """Where users sign in."""

    issuer: str = "http://127.0.0.1:8001"
    """The OIDC issuer: ``<issuer>/.well-known/openid-configuration`` must answer."""
    name: str = "iMagine IAM"
    """What the sign-in button says."""
    account_url: str = ""
    """The page where users see their account, and administrators approve new ones; empty: no link to it."""
    client_id: str = "imagine-workspace"
    client_secret_file: Path | None = None
    """A file, so that the secret is in no environment and no process list."""
    scopes: list[str] = ["openid", "profile", "email", "groups", "offline_access"]
    username_claim: str = "preferred_username"
    allowed_groups: list[str] = ["imagine-users"]
    """A user in none of these groups is told so and gets no server."""
    admin_groups: list[str] = ["imagine-admins"]
    timeout: float = Field(default=60, gt=0)
    """Seconds that the IAM may take for an answer. A renewal that is given up may have used up the refresh token."""
    patience: float = Field(default=5, gt=0)
    """Seconds that a page waits for the IAM before it goes on with what is known."""
    grace: float = Field(default=1800, ge=0)
    """Seconds for which a user's rights are believed while the IAM does not answer."""
    reconcile_interval: float = Field(default=300, gt=0)
    """Seconds within which everyone who has a server or a token is looked at again."""
    work_goes_on: float = Field(default=86400, ge=0)
    """Seconds that servers outlive a sign-in whose tokens have ended, which says nothing about the rights."""


class StorageSettings(Section):
    """The users' Nextcloud."""

    url: str = "http://127.0.0.1:8002"
    """Base address: ``<url>/remote.php/dav/files/USER`` is a user's root."""
    by_sign_in: bool = True
    """Whether it gives keys for the IAM's tokens (``user_oidc`` with bearer tokens); else users link by consent."""
    others: list[str] = []
    """Other Nextclouds that users may link: hosts such as ``cloud.example.org`` or ``*.example.org``, never in the
    operator's own network, unless written in full with the port."""


class PlatformSettings(Section):
    """The service at ``/services/imagine``."""

    listen: str = "127.0.0.1:8005"
    url: str = ""
    """Where hub, proxy and servers reach it; empty: where it listens."""
    database_url: str = "sqlite:///platform.sqlite"
    """Any SQLAlchemy URL of SQLite or PostgreSQL (``postgresql+psycopg://…``)."""
    model_store: str = "model-store"
    """Any fsspec URL, or a folder: where the packages of shared models are kept."""
    metrics_listen: str = ""
    """Where Prometheus gets the platform's figures, without a sign-in; empty: nowhere."""
    token_file: Path | None = None
    """The service's own hub token."""
    max_file_bytes: int = Field(default=2 * 1024**3, gt=0)
    """The largest file a model package may hold."""
    probe_seconds: float = Field(default=15, gt=0)
    """How often the controller looks at each service."""

    @property
    def address(self) -> str:
        """Where it is reached."""
        return self.url or f"http://{self.listen}"


class LocalSettings(Section):
    """Laptop mode only."""

    agent_socket: Path | None = None
    """The supervisor's socket: it alone allocates accounts and mounts storage."""
