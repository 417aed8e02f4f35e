"""How every service lives: settings in, health and metrics on the internal port, everything drained at the end."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
import uvloop

from common import logs
from common.bus import Bus
from common.internal import Health, InternalApp, Server, server
from common.settings import Settings
from common.tasks import Supervisor

if TYPE_CHECKING:  # the doors have no database, and its library is a quarter of their start
    from common.db import Database
    from common.outbox import Outbox

log = structlog.get_logger()

_HOUSEKEEPING = 600.0
_COLLECT = 20_000, 20, 50
"""Objects before Python looks for cycles. Each message makes hundreds, and hardly any is in a cycle."""
_TURN = 0.0005
"""Seconds one thread may keep the interpreter while another wants it. PostgreSQL's writers give it up at every
statement and must get it back: with Python's 5 ms a transaction of ten statements waits 50 ms for a busy event loop."""


@dataclass
class Service:
    """What `build(settings)` gives back: the parts to start, in order, and to stop, in reverse."""

    name: str
    bus: Bus
    health: Health
    database: Database | None = None
    outbox: Outbox | None = None
    background: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    http: list[Server] = field(default_factory=list)
    closing: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    needs_bus: bool = True
    """Whether to wait for the broker before starting; the doors to the outside do not."""


def connect(name: str, settings: Settings) -> Bus:
    """This service's connection to the broker, as its own user."""
    user, password = settings.broker_login(name)
    return Bus(name, settings.nats_url, user=user, password=password)


def worker(name: str, settings: Settings) -> Service:
    """A service with a database, an outbox and a bus, all checked by its health."""
    from common.db import Database  # noqa: PLC0415 - as above

    sys.setswitchinterval(_TURN)
    gc.set_threshold(*_COLLECT)
    bus = connect(name, settings)
    database = Database(settings.database(name))
    health = Health(required={"database": database.ping, "bus": bus.ping})
    return Service(name, bus, health, database, bus.outbox(database))


def run(name: str, settings: Settings, build: Callable[[Any], Awaitable[Service]]) -> None:
    """Be that service until SIGTERM or SIGINT; then drain and end."""
    logs.configure(name, level=settings.log_level, instance=settings.instance)
    uvloop.run(_run(settings, build))


async def _run(settings: Settings, build: Callable[[Any], Awaitable[Service]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = await build(settings)
    async with running(service, settings):
        await stop.wait()
        log.info("draining")


class running:
    """A started service inside the block, a stopped one after it."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._tasks = Supervisor()
        internal = server(InternalApp(service.health), settings.internal_host, settings.internal_port)
        self._servers = [internal, *service.http]
        self._serving: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Service:
        service = self._service
        self._serving = [asyncio.create_task(one.serve()) for one in self._servers]
        await service.bus.start(wait=service.needs_bus)
        for name, work in service.background.items():
            self._tasks.start(name, work)
        if service.database and service.outbox:
            self._tasks.start("housekeeping", self._housekeeping)
        log.info("started", service=service.name)
        return service

    async def __aexit__(self, *_: object) -> None:
        for one in self._servers:
            one.should_exit = True
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._tasks.stop()
        await self._service.bus.stop()
        for close in self._service.closing:
            await close()
        if self._service.database:
            await self._service.database.close()
        log.info("stopped", service=self._service.name)

    async def _housekeeping(self) -> None:
        from common import inbox  # noqa: PLC0415 - as above

        while True:
            await asyncio.sleep(_HOUSEKEEPING)
            if self._service.outbox and self._service.database:
                await self._service.outbox.prune()
                await inbox.prune(self._service.database)
