"""Tells the edges who owns what: publishes both snapshots after every change, and says which revision counts.

A replica that cannot read its database says nothing: the edges then stop letting anybody in.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from common import ids
from common.bus import Bus
from common.db import Database, Tx
from common.directory import CREDENTIALS, DIRECTORY
from common.errors import Unavailable
from common.snapshot import HEARTBEAT_EVERY, Publisher

from provisioning.store import snapshots
from provisioning.store.snapshots import Content

_TURN = timedelta(seconds=3)
_PAUSE = 0.02

ANNOUNCED_WITHIN = 1.5
"""Seconds a reply waits for its change to be published: less than an order waits before it is asked again."""

log = structlog.get_logger()


class Bucket:
    """One snapshot: its content as the database has it, and its way to the broker."""

    def __init__(self, database: Database, bus: Bus, name: str, content: Callable[[Tx], tuple[int, Content]]) -> None:
        self._database, self._content, self.name = database, content, name
        self._publisher = Publisher(bus, name)
        self._me = ids.random("publisher")
        self._lock = asyncio.Lock()

    async def revision(self) -> int:
        """What is committed."""
        return await self._database.read(lambda tx: snapshots.revision(tx, self.name))

    async def catch_up(self, revision: int) -> None:
        """Return once the broker has `revision` or a later one; changes made meanwhile go with it."""
        async with self._lock:
            while await self._publisher.current() < revision:
                if await self._database.write(lambda tx: snapshots.take_turn(tx, self.name, self._me, _TURN)):
                    await self._publish()
                else:
                    await asyncio.sleep(_PAUSE)

    async def beat(self) -> None:
        """Say which revision counts, and see to it that the broker has it."""
        revision = await self.revision()
        if not revision:
            return
        if await self._publisher.current() < revision:
            await self.catch_up(revision)
        else:
            await self._publisher.beat(revision)

    async def _publish(self) -> None:
        try:
            revision, content = await self._database.read(self._content, long=True)
            await self._publisher.publish(revision, content)
            log.info("snapshot_published", bucket=self.name, revision=revision)
        finally:
            await self._database.write(lambda tx: snapshots.end_turn(tx, self.name, self._me))


class Announcer:
    """Both snapshots. `announce` after a commit; `beat_directory` and `beat_credentials` run for ever."""

    def __init__(self, database: Database, bus: Bus) -> None:
        self._directory = Bucket(database, bus, DIRECTORY, snapshots.directory)
        self._credentials = Bucket(database, bus, CREDENTIALS, snapshots.sealed_credentials)

    async def announce(self, within: float = ANNOUNCED_WITHIN) -> None:
        """Publish the directory as committed. `Unavailable` when the broker does not have it in time."""
        try:
            async with asyncio.timeout(within):
                await self._directory.catch_up(await self._directory.revision())
        except TimeoutError:
            raise Unavailable(
                "recorded, but the edges could not be told yet; ask again with the same idempotency key",
                code="not_announced",
            ) from None

    async def try_announce(self) -> None:
        """As `announce`, for a change nobody is endangered by: when the broker is slow, the heartbeat sees to it."""
        with contextlib.suppress(Unavailable):
            await self.announce()

    async def beat_directory(self) -> None:
        """Heartbeats of the directory."""
        await _for_ever(self._directory)

    async def beat_credentials(self) -> None:
        """Heartbeats of the credentials."""
        await _for_ever(self._credentials)


async def _for_ever(bucket: Bucket) -> None:
    while True:
        started = time.monotonic()
        try:
            async with asyncio.timeout(4 * HEARTBEAT_EVERY):
                await bucket.beat()
        except (Unavailable, TimeoutError) as error:
            log.warning("snapshot_not_announced", bucket=bucket.name, error=repr(error))
        await asyncio.sleep(max(0.05, HEARTBEAT_EVERY - (time.monotonic() - started)))
