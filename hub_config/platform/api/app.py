"""The app: every route under one prefix, documented offline."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi_offline import FastAPIOffline

from hub_config.platform import PREFIX
from hub_config.platform.api import models, routes
from hub_config.platform.api.metrics import measure_requests
from hub_config.platform.api.problems import DOCUMENTED, speak_problems

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI

    from hub_config.platform.api.services import Services


def create_app(services: Services) -> FastAPI:
    """Return the platform's API.

    Parameters
    ----------
    services
        What its handlers work with; closed when the app ends.

    Returns
    -------
    FastAPI
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await services.tokens.close()
        services.database.close()

    app = FastAPIOffline(
        title="iMagine workspace",
        description="Shared models, the catalogue and the state of the workspace's services.",
        docs_url=f"{PREFIX}/docs",
        redoc_url=None,
        openapi_url=f"{PREFIX}/openapi.json",
        static_url=f"{PREFIX}/docs/static",
        swagger_ui_oauth2_redirect_url=f"{PREFIX}/docs/oauth2-redirect",
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.services = services
    for router in (routes.public, routes.signed_in, models.router):
        app.include_router(router, prefix=PREFIX, responses=DOCUMENTED)
    speak_problems(app)
    measure_requests(app)
    return app
