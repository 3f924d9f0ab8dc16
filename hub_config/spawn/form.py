"""The spawn page's form, made from the catalogue and the hardware that the user may choose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader, StrictUndefined

if TYPE_CHECKING:
    from hub_config.spawn.offers import HardwareOffer, ModuleOffer

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "pages" / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
)


def render_form(
    modules: list[ModuleOffer],
    hardware: list[HardwareOffer],
    *,
    note: str,
    closed: str = "",
    dead_link: str = "",
    storage_page: str = "",
) -> str:
    """Return the form's fields as HTML; every text of the catalogue is escaped.

    Parameters
    ----------
    modules, hardware
        What can be chosen, and what cannot.
    note
        Stands below the choice of hardware.
    closed
        Why no server is started now; empty: one is.
    dead_link
        What is wrong with the link to the user's storage; empty: nothing.
    storage_page
        Where it is made anew.
    """
    template = _templates.get_template("spawn_form.html")
    return template.render(
        modules=modules, hardware=hardware, note=note, closed=closed, dead_link=dead_link, storage_page=storage_page
    )
