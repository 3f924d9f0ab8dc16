"""What is raised where no server can be started, so that its user reads why."""

from __future__ import annotations

from jupyterhub.spawner import SpawnException

REASON = "server not started"
"""The label in the hub's metrics, and what its pages show beside the status."""


class SpawnRefusal(SpawnException):  # type: ignore[misc]  # JupyterHub is untyped
    """No server is started; the message says why.

    Parameters
    ----------
    message
        One sentence for the user.
    status
        The HTTP status: 400 where another choice helps, 500 where it does not.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message, reason=REASON, status_code=status)
        self.jupyterhub_message = message  # the hub's pages show this one, and no other's text
