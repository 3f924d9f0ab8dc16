"""Whether somebody watches in a notebook, and where they read."""

from __future__ import annotations

import sys
from typing import TextIO


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook, which can show what changes while it works."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def messages() -> TextIO:
    """Return where a line about progress goes: standard error, but a notebook would show that as an error."""
    return sys.stdout if in_notebook() else sys.stderr
