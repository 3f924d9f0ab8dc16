"""What is raised where no server can be started, so that its user reads why."""

from __future__ import annotations

from jupyterhub.spawner import SpawnException

REASONS = {
    400: "no such choice",
    403: "not allowed",
    409: "storage not linked",
    429: "limit reached",
    500: "server did not start",
    503: "no new servers",
}


class SpawnRefusal(SpawnException):  # type: ignore[misc]  # JupyterHub is untyped
    """No server is started; the message says why.

    Parameters
    ----------
    message
        One sentence for the user.
    status
        The HTTP status: 400 where another choice helps, 500 where it does not.
    reason
        Two or three words: the label in the hub's metrics, and what its pages show beside the status.
    """

    def __init__(self, message: str, status: int, reason: str = "") -> None:
        super().__init__(message, reason=reason or REASONS[status], status_code=status)
        self.jupyterhub_message = message  # the hub's pages show this one, and no other's text
