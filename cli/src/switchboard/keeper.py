"""Declares the broker's streams again whenever it lost them, so that everyone can publish what it no longer has."""

from __future__ import annotations

import asyncio

import structlog
from common import service, streams
from common.bus import Bus
from common.errors import Unavailable
from common.grants import MIGRATOR
from common.internal import Health
from common.service import Service
from common.settings import Settings
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

_EVERY = 0.5
"""Seconds between two looks: with a reconnect, how long events wait after the broker lost its data."""

log = structlog.get_logger()


class Keeper:
    """Looks every half second, and at once after a reconnect. The first look also updates what is there."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._complete = False
        self._settled = False

    async def ready(self) -> None:
        """For health: every stream was there at the last look."""
        if not self._complete:
            raise Unavailable("the streams are not declared", code="streams")

    async def look(self) -> None:
        """Declare what is missing."""
        declare = streams.declare_missing if self._settled else streams.declare
        try:
            created = await declare(self._bus.client.jetstream(timeout=2))
        except (NatsError, JetStreamError, TimeoutError, OSError, Unavailable) as error:
            self._complete = False
            log.warning("streams_not_checked", error=repr(error))
            return
        self._complete = self._settled = True
        if created:
            log.warning("streams_declared", streams=created)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY)


async def build(settings: Settings) -> Service:
    """The keeper as a process of its own, with the rights of the migration step."""
    bus = service.connect(MIGRATOR, settings)
    keeper = Keeper(bus)
    bus.on_reconnect(keeper.look)
    health = Health(required={"bus": bus.ping, "streams": keeper.ready})
    return Service("streams", bus, health, background={"keep": keeper.run}, needs_bus=False)
