"""Audit killed in the middle of its work: after a restart every event is chained once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nats
import sqlalchemy as sa
from audit.inspection import inspect
from audit.settings import Settings
from audit.store.tables import entries
from common import envelope
from common.db import Database, Tx

from tests.audit.building import an_alert, some_settings
from tests.support.servers import Broker

COUNT = 2000


@contextlib.contextmanager
def an_audit(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {
        "SWITCHBOARD_NATS_URL": settings.nats_url,
        "SWITCHBOARD_NATS_AUTH": "false",
        "SWITCHBOARD_DATABASE_URL": settings.database_url,
        "SWITCHBOARD_DATA": str(settings.data),
        "SWITCHBOARD_SECRETS": str(settings.secrets),
    }
    process = subprocess.Popen([sys.executable, "-m", "audit"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def chained(tx: Tx) -> int:
    return int(tx.execute(sa.select(sa.func.count()).select_from(entries)).scalar_one())


async def until_chained(database: Database, count: int) -> None:
    async with asyncio.timeout(60):
        while await database.read(chained) < count:  # noqa: ASYNC110 - another process; nothing to wait on
            await asyncio.sleep(0.02)


async def test_killed_twice_it_chains_every_event_once(broker: Broker, database_url: str, tmp_path: Path) -> None:
    settings = some_settings(broker, database_url, tmp_path)
    database = Database(database_url)
    client = await nats.connect(broker.url)
    for n in range(1, COUNT + 1):
        event = an_alert(n, f"org_{n % 3}")
        await client.publish(event.subject, envelope.encode(event, producer="elsewhere", sequence=n))
    await client.flush()
    for enough in (1, COUNT // 2):
        with an_audit(settings) as process:
            await until_chained(database, enough)
            process.kill()
    with an_audit(settings):
        await until_chained(database, COUNT)
    verdicts = await database.read(lambda tx: list(inspect(tx)))
    await client.close()
    await database.close()
    assert [verdict.finding for verdict in verdicts] == [None] * 3
    assert sum(verdict.entries for verdict in verdicts) == COUNT
