"""How each of the platform's processes begins: with a log, and with settings or a sentence on what is wrong."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from hub_config import settings
from hub_config.audit import write_to

if TYPE_CHECKING:
    from hub_config.settings import Settings


def begin() -> Settings:
    """Set the logs up and read the settings; end the process with a sentence where these cannot be used."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it has a line for every look of the controller
    try:
        loaded = settings.load()
    except settings.SettingsError as error:
        sys.exit(str(error))
    write_to(loaded.audit_file)
    return loaded
