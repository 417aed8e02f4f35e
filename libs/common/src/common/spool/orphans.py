"""Publishes what dead instances left in their spool files, and what a broker lost of it later."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import structlog

from common.bus import Bus
from common.relay import Relay
from common.spool.file import SpoolFile, take
from common.spool.spool import Spool

EVERY = 2.0
"""Seconds between two looks at the folder."""

_AT_MOST = 60.0

log = structlog.get_logger()


class Orphans:
    """Run it supervised. A file is held only while it is emptied: who starts next may have it."""

    def __init__(self, folder: Path, service: str, bus: Bus) -> None:
        self._folder, self._service, self._bus = folder, service, bus

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(EVERY)
            if self._bus.connected:
                for path in sorted(self._folder.glob("spool-*.db")):
                    await self._adopt(path)

    async def _adopt(self, path: Path) -> None:
        try:
            file = take(path, self._service)
        except (sqlite3.Error, OSError) as error:
            log.error("spool_file_unreadable", file=path.name, error=repr(error))
            return
        if file is not None:
            await self._empty(file)

    async def _empty(self, file: SpoolFile) -> None:
        spool = Spool(file)
        waiting, _ = await spool.backlog()
        relay = asyncio.create_task(Relay(spool, self._bus.client).run())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_AT_MOST):
                    await spool.drained.wait()
            await spool.prune()
        finally:
            relay.cancel()
            await asyncio.gather(relay, return_exceptions=True)
            await spool.close()
        if waiting:
            log.info("spool_file_emptied", file=file.path.name, rows=waiting)
