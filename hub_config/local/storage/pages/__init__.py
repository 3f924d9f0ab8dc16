"""The few pages that people see, in the look of the IAM's own."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from hub_config.local.storage.errors import Refused
from hub_config.local.storage.http import Response

_HUB = Path(__file__).parents[3]
_STATIC = {
    "look.css": (_HUB / "local" / "iam" / "static" / "iam" / "iam.css", "text/css; charset=utf-8"),
    "logo.svg": (_HUB / "pages" / "static" / "logo.svg", "image/svg+xml"),
    "icon.svg": (_HUB / "pages" / "static" / "icon.svg", "image/svg+xml"),
}
_ONLY_OURS = "style-src 'self'; img-src 'self'; form-action 'self'"
_POLICY = f"default-src 'none'; {_ONLY_OURS}; base-uri 'none'; frame-ancestors 'none'"
_HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("Content-Security-Policy", _POLICY),
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
]
_templates = Environment(loader=PackageLoader(__name__, "."), autoescape=True, undefined=StrictUndefined)


def page(status: int, name: str, **values: object) -> Response:
    """Answer with a page."""
    body = _templates.get_template(f"{name}.html").render(values).encode()
    return Response(status, [*_HEADERS, ("Content-Length", str(len(body)))], [body])


def static(name: str) -> Response:
    """Answer with a file that pages refer to.

    Raises
    ------
    Refused
        404: there is none of this name.
    """
    if name not in _STATIC:
        raise Refused(404, "There is nothing at this address.")
    path, kind = _STATIC[name]
    body = path.read_bytes()
    headers = [("Content-Type", kind), ("Cache-Control", "max-age=3600"), ("Content-Length", str(len(body)))]
    return Response(200, headers, [body])
