"""The file that JupyterHub is started with."""

from hub_config import settings
from hub_config.configure import configure

configure(get_config(), settings.load())  # noqa: F821
