"""The content security policy: pages load nothing that is not their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import clients

if TYPE_CHECKING:
    from collections.abc import Callable


def content_security_policy(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Add the policy to every page."""

    def middleware(request: Any) -> Any:
        response = get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            # Chromium applies form-action to the redirects after a form too, and signing in ends at a client.
            targets = " ".join(["'self'", *sorted(clients.origins())])
            response["Content-Security-Policy"] = (
                "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; "
                f"form-action {targets}"
            )
        return response

    return middleware
