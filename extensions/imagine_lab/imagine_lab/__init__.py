"""The iMagine panel of JupyterLab: its server part, and where its prebuilt browser part lies.

The browser part talks to nothing but this server part, which asks the platform in the user's name: the hub's
subdomains, its cookies and the Lab's own XSRF check then hold without an exception made for us.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

LABEXTENSION = "imagine-lab"
"""The browser part's name in ``package.json``, and its folder under ``share/jupyter/labextensions``."""


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": LABEXTENSION}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "imagine_lab"}]


def _load_jupyter_server_extension(server_app: ServerApp) -> None:
    from .busy import count_busy_kernels
    from .handlers import add_handlers

    add_handlers(server_app.web_app)
    count_busy_kernels(server_app)
    server_app.log.info("The iMagine panel's server part is ready")
