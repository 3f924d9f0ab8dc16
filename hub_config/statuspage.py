"""The page on which everyone sees, without a sign-in, what works and what is free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyterhub.handlers.base import BaseHandler

if TYPE_CHECKING:
    from datetime import timedelta

    from hub_config.platform_client import PlatformClient


class StatusPage(BaseHandler):  # type: ignore[misc]  # JupyterHub is untyped
    """``/hub/imagine/status``."""

    def initialize(self, platform: PlatformClient) -> None:
        """Take what knows."""
        self._platform = platform

    async def get(self) -> None:
        """Show the state of the services, and what is free."""
        status, capacity = await self._platform.status(), await self._platform.capacity()
        html = await self.render_template("status.html", status=status, capacity=capacity, lasted=lasted)
        self.finish(html)


def lasted(time: timedelta) -> str:
    """Return how long something took, in words."""
    minutes = round(time.total_seconds() / 60)
    if minutes < 1:
        return "less than a minute"
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    return " ".join(text for count, text in ((hours, f"{hours} h"), (minutes, f"{minutes} min")) if count)
