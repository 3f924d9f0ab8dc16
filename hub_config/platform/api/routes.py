"""The addresses of the platform, apart from those of shared models."""

from fastapi import APIRouter
from sqlalchemy import text

from hub_config.platform.api.parameters import List, Name, Search
from hub_config.platform.api.services import Use
from hub_config.platform.api.signin import SignedIn
from imagine_lib.wire import Capacity, CatalogueEntry, Me, Page, Status

public = APIRouter(tags=["status"])
signed_in = APIRouter(tags=["catalogue"])


@public.get("/status")
def status(use: Use) -> Status:
    """Return the state of each service."""
    return use.status.read()


@public.get("/capacity")
def capacity(use: Use) -> Capacity:
    """Return how many GPUs are free, and where the images of modules are."""
    return use.capacity.read()


@public.get("/healthz")
def healthz(use: Use) -> dict[str, str]:
    """Say that this process answers and reaches its database."""
    with use.database.read() as session:
        session.execute(text("SELECT 1"))
    return {"status": "ok"}


@signed_in.get("/me", tags=["me"])
def me(caller: SignedIn) -> Me:
    """Return who is signed in."""
    return Me(name=caller.name, admin=caller.admin, groups=sorted(caller.groups))


@signed_in.get("/catalogue")
def catalogue(use: Use, _caller: SignedIn, paging: List, q: Search = "") -> Page[CatalogueEntry]:
    """Return the modules of the catalogue that fit a text, best first."""
    return use.catalogue.search(q, paging)


@signed_in.get("/catalogue/{name}")
def catalogue_entry(use: Use, _caller: SignedIn, name: Name) -> CatalogueEntry:
    """Return one module of the catalogue."""
    return use.catalogue.get(name)
