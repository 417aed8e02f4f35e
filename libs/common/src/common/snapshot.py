"""Whole states, numbered, from the service that owns them to all that follow: a key-value bucket and a heartbeat.

A follower replaces what it has only by a complete snapshot of a higher revision, never by an empty bucket, and keeps
its last one on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError
from nats.js.errors import KeyNotFoundError, KeyWrongLastSequenceError
from nats.js.kv import KeyValue

from common.bus import Bus
from common.errors import Unavailable

_CHUNK = 512 * 1024
HEARTBEAT_EVERY = 0.5
"""Seconds between heartbeats: with the immediate one after a change, a follower is never much older than this."""

_RETRY_FIRST, _RETRY_MOST = 0.1, 1.0

log = structlog.get_logger()


def heartbeat_subject(bucket: str) -> str:
    """The core subject on which the owner says which revision is current."""
    return f"snapshot.{bucket}.heartbeat"


class Publisher:
    """The owner's side. `publish` may be called by several replicas: the highest revision wins."""

    def __init__(self, bus: Bus, bucket: str) -> None:
        self._bus, self._bucket = bus, bucket

    async def publish(self, revision: int, content: dict[str, Any]) -> None:
        """Write the state and tell everyone. Raises `Unavailable` without a broker; then call again."""
        try:
            store = await self._bus.client.jetstream().key_value(self._bucket)
            while (await _head(store)).revision < revision:
                await self._replace(store, revision, orjson.dumps(content))
            await self.beat(revision)
        except (NatsError, JetStreamError, TimeoutError, OSError) as error:
            raise Unavailable(f"the broker did not take snapshot {revision}: {error!r}", code="bus") from error

    async def _replace(self, store: KeyValue, revision: int, raw: bytes) -> None:
        """Chunks of its own first, then the head, if nobody replaced it meanwhile; at last the old chunks go."""
        before = await _head(store)
        chunks = [raw[at : at + _CHUNK] for at in range(0, len(raw), _CHUNK)]
        for n, chunk in enumerate(chunks):
            await store.put(f"chunk.{revision}.{n}", chunk)
        head = {"revision": revision, "chunks": len(chunks), "sha256": hashlib.sha256(raw).hexdigest()}
        try:
            await store.update("head", orjson.dumps(head), last=before.entry)
        except KeyWrongLastSequenceError:
            if (await _head(store)).revision != revision:  # by another replica, with these very chunks
                await self._forget(revision)
        else:
            await self._forget(before.revision)

    async def _forget(self, revision: int) -> None:
        js = self._bus.client.jetstream()
        await js.purge_stream(f"KV_{self._bucket}", subject=f"$KV.{self._bucket}.chunk.{revision}.>")

    async def current(self) -> int:
        """The revision the broker has; 0 when it has none. Raises `Unavailable` without a broker."""
        try:
            return (await _head(await self._bus.client.jetstream().key_value(self._bucket))).revision
        except (NatsError, JetStreamError, TimeoutError, OSError) as error:
            raise Unavailable(f"the broker does not show its snapshot: {error!r}", code="bus") from error

    async def beat(self, revision: int) -> None:
        """Say that the owner is alive and this is its revision."""
        body = orjson.dumps({"revision": revision})
        with contextlib.suppress(NatsError, OSError, Unavailable):
            await self._bus.client.publish(heartbeat_subject(self._bucket), body)
            await self._bus.ping()


class Follower:
    """A reader's side: the newest complete state, in memory and on disk. `accept` is called with each new state."""

    def __init__(self, bus: Bus, bucket: str, disk: Path, accept: Callable[[int, dict[str, Any]], None]) -> None:
        self._bus, self._bucket, self._disk, self._accept = bus, bucket, disk, accept
        self.revision = 0
        self._beat_at = 0.0
        self._behind_at = 0.0
        self._wanted = asyncio.Event()
        self._changed = asyncio.Condition()
        bus.listen(heartbeat_subject(bucket), self._heartbeat)
        bus.on_reconnect(self._reconnected)

    @property
    def loaded(self) -> bool:
        """Whether there is a state at all, from the broker or from disk."""
        return self.revision > 0

    @property
    def age(self) -> float:
        """Seconds since the owner was last heard; infinite before the first time."""
        return time.monotonic() - self._beat_at if self._beat_at else float("inf")

    @property
    def behind(self) -> float:
        """Seconds since the owner named a revision that is still not here; 0 while there is none."""
        return time.monotonic() - self._behind_at if self._behind_at else 0.0

    async def ready(self) -> None:
        """For health: raises `Unavailable` before a first state is there."""
        if not self.loaded:
            raise Unavailable(f"no {self._bucket} snapshot yet", code="no_snapshot")

    def load_disk(self) -> None:
        """Start with the state of the last run, if there is a whole one."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            wire = orjson.loads(self._disk.read_bytes())
            self._take(int(wire["revision"]), wire["content"])

    async def run(self) -> None:
        """Fetch whenever the owner says that there is something newer."""
        pause = _RETRY_FIRST
        while True:
            self._wanted.clear()
            try:
                await self._fetch()
                pause = _RETRY_FIRST
            except (NatsError, JetStreamError, TimeoutError, OSError, Unavailable, ValueError) as error:
                log.warning("snapshot_not_fetched", bucket=self._bucket, error=repr(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RETRY_MOST)
                self._wanted.set()
            await self._wanted.wait()

    async def wait_for(self, revision: int, timeout: float = 5.0) -> bool:
        """Whether this revision, or a later one, is here within `timeout` seconds."""
        with contextlib.suppress(TimeoutError):
            async with self._changed, asyncio.timeout(timeout):
                await self._changed.wait_for(lambda: self.revision >= revision)
        return self.revision >= revision

    async def _heartbeat(self, message: Msg) -> None:
        self._beat_at = time.monotonic()
        if int(orjson.loads(message.data)["revision"]) > self.revision:
            self._behind_at = self._behind_at or self._beat_at
            self._wanted.set()

    async def _reconnected(self) -> None:
        self._wanted.set()

    async def _fetch(self) -> None:
        store = await self._bus.client.jetstream().key_value(self._bucket)
        head = await _head(store)
        if head.revision <= self.revision:
            return
        chunks = [(await store.get(f"chunk.{head.revision}.{n}")).value or b"" for n in range(head.chunks)]
        raw = b"".join(chunks)
        if hashlib.sha256(raw).hexdigest() != head.sha256:
            raise ValueError("the snapshot was being replaced; reading it again")
        content = orjson.loads(raw)
        await asyncio.to_thread(self._keep, head.revision, content)
        self._take(head.revision, content)
        async with self._changed:
            self._changed.notify_all()

    def _take(self, revision: int, content: dict[str, Any]) -> None:
        self._accept(revision, content)
        self.revision = revision
        self._behind_at = 0.0
        log.info("snapshot_loaded", bucket=self._bucket, revision=revision)

    def _keep(self, revision: int, content: dict[str, Any]) -> None:
        """On disk whole or not at all."""
        self._disk.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._disk.with_name(f"{self._disk.name}.{os.getpid()}.new")  # replicas share the folder
        temporary.write_bytes(orjson.dumps({"revision": revision, "content": content}))
        temporary.chmod(0o600)
        temporary.replace(self._disk)


@dataclass(frozen=True, slots=True)
class _Head:
    """Which revision is whole, and the bucket's sequence of this very entry."""

    revision: int = 0
    entry: int = 0
    chunks: int = 0
    sha256: str = ""


async def _head(store: KeyValue) -> _Head:
    try:
        found = await store.get("head")
    except KeyNotFoundError:
        return _Head()
    wire = orjson.loads(found.value or b"{}")
    return _Head(int(wire["revision"]), found.revision or 0, int(wire["chunks"]), str(wire["sha256"]))
