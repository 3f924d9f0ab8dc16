"""What the handlers work with, put together once from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from hub_config.platform.api.people import HubPeople
from hub_config.platform.api.signin import HubTokens
from hub_config.platform.logic.blobs import Blobs
from hub_config.platform.logic.capacity import CapacityBoard
from hub_config.platform.logic.catalogue import Catalogue
from hub_config.platform.logic.models import Models
from hub_config.platform.logic.status import StatusBoard
from hub_config.platform.store.blobs import BlobStore
from hub_config.platform.store.database import Database
from hub_config.settings import read_secret

if TYPE_CHECKING:
    from hub_config.settings import Settings


@dataclass(frozen=True)
class Services:
    """Everything that a handler may call."""

    database: Database
    tokens: HubTokens
    people: HubPeople
    blobs: Blobs
    models: Models
    catalogue: Catalogue
    status: StatusBoard
    capacity: CapacityBoard


def build(settings: Settings) -> Services:
    """Put the services together.

    Parameters
    ----------
    settings
        The settings of the hub and the platform.

    Returns
    -------
    Services
    """
    platform = settings.platform
    database = Database(platform.database_url)
    blobs = Blobs(database, BlobStore(platform.model_store), platform.max_file_bytes)
    hub = f"http://{settings.hub_listen}/hub/api", read_secret(platform.token_file)
    return Services(
        database=database,
        tokens=HubTokens(*hub),
        people=HubPeople(*hub),
        blobs=blobs,
        models=Models(database, blobs),
        catalogue=Catalogue(database),
        status=StatusBoard(database),
        capacity=CapacityBoard(database, settings.spawn.gpu_flavours),
    )


def _of_app(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Use = Annotated[Services, Depends(_of_app)]
"""A handler's parameter of this type is the app's services."""
