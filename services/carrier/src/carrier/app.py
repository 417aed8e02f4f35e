"""Builds the carrier: its parts, REST for the product, the control API for tests and people, health for both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from starlette.types import ASGIApp

from carrier import credentials
from carrier.control import evidence, people, switches
from carrier.control.guard import token_required
from carrier.door import Door
from carrier.plant import Plant, assemble
from carrier.rest.router import build_router
from carrier.settings import Settings


def build(settings: Settings) -> ASGIApp:
    """Make one carrier. Secrets are drawn now if needed; files are opened at start-up."""
    plant = assemble(settings, credentials.load(settings))
    return Door(build_router(plant), control_app(plant))


def control_app(plant: Plant) -> FastAPI:
    """Serve health to anybody and /control to who has the token; runs the plant while it is up."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await plant.start()
        try:
            yield
        finally:
            await plant.stop()

    app = FastAPI(title="Carrier control", version="1", lifespan=lifespan, openapi_url="/control/openapi.json",
                  docs_url="/control/docs", redoc_url=None)  # fmt: skip
    guard = Depends(token_required(plant.credentials.control_token))
    api = APIRouter(prefix="/control", dependencies=[guard])
    for part in (people, evidence, switches):
        part.routes(plant, api)
    app.include_router(api)

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Tell that the process answers."""
        return {"status": "ok"}

    @app.get("/health/ready")
    async def ready() -> dict[str, str]:
        """Tell that a write reaches the disk."""
        await plant.store.write(lambda conn: conn.execute("SELECT 1").fetchone())
        return {"status": "ready"}

    return app
