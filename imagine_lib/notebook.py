"""Whether somebody watches in a notebook."""

from __future__ import annotations

import sys


def in_notebook() -> bool:
    """Tell whether this process is the kernel of a notebook, which can show what changes while it works."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"
