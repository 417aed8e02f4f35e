"""A service that has only an outbox: `python -m bench.producer COUNT` fills it at once and publishes until stopped."""

from __future__ import annotations

import asyncio
import sys

import uvloop
from common import migrate
from common.bus import Bus
from common.db import Database
from common.settings import Settings

from bench.chain import a_message


async def produce(count: int, settings: Settings) -> None:
    """Stage `count` events in one transaction and publish them, again and again if the broker loses them."""
    url = settings.database("producer")
    migrate.upgrade("audit", url)
    database = Database(url)
    bus = Bus("producer", settings.nats_url)
    bus.outbox(database)
    events = [a_message(n) for n in range(1, count + 1)]
    await database.write(lambda tx: tx.stage(*events))
    await bus.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(produce(int(sys.argv[1]), Settings()))
