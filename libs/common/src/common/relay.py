"""Moves committed rows to the broker, in atomic batches, and notices when the broker lost what it acknowledged.

It never gives up: without a broker it waits and tries again, and the rows stay where they are.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, NamedTuple, Protocol

import orjson
import structlog
from nats.aio.client import Client
from nats.errors import ConnectionReconnectingError
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from common import envelope, ids, metrics
from common.crash import crash
from common.streams import EVENTS

RETENTION = timedelta(days=7)
"""How long published rows are kept for a broker, or a subscriber, that lost them."""

BATCH = 256
"""Most rows of one atomic batch: one broker fsync. The broker takes at most 1000."""

SINGLY = 16
"""Rows up to this many are sent one by one, all at once: a batch of any size costs the broker a file of its own, 1.4 ms
of CPU and 3 ms of waiting, more than these together even where each is synced."""

_BETWEEN = 0.02
"""Seconds after a batch that was not full: under load the next is larger then, and the broker does less."""

_ACK_TIMEOUT = 5.0
_DUPLICATE_IN_BATCH = 10201
_RETRY_FIRST, _RETRY_MOST = 0.1, 2.0
_IDLE = 1.0

log = structlog.get_logger()


class Row(NamedTuple):
    """One event on its way."""

    seq: int
    id: str
    subject: str
    body: bytes


class Source(Protocol):
    """Where committed rows wait: an outbox or a spool."""

    async def take(self, limit: int, timeout: float) -> Sequence[Row]:
        """Rows to publish, in order; empty when none came for `timeout` seconds."""

    async def acknowledged(self, rows: Sequence[Row], incarnation: str, last_seq: int) -> None:
        """The broker has them, the last at stream sequence `last_seq`."""

    async def forget_beyond(self, incarnation: str, last_seq: int) -> int:
        """Give out again what another incarnation acknowledged, or what lies beyond `last_seq`."""

    async def backlog(self) -> tuple[int, float]:
        """Rows waiting, and the age of the oldest in seconds."""


class NotTaken(Exception):
    """The broker did not take a batch; `code` is its error code."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code


class Relay:
    """One per process. Run it supervised: `await relay.run()` ends only when cancelled.

    `pace` is how many seconds may lie between two publications: what is in no hurry gathers meanwhile, and costs the
    broker and us less. The first after a pause leaves at once.
    """

    def __init__(self, source: Source, client: Client, *, pace: float = 0.0) -> None:
        self._source = source
        self._client = client
        self._pace = pace
        self._next = 0.0
        self._incarnation = ""
        self._highest = 0
        self.recheck = asyncio.Event()
        self.recheck.set()

    async def run(self) -> None:
        """Publish for ever. Set `recheck` after each reconnect: the broker may be another."""
        pause = _RETRY_FIRST
        while True:
            try:
                await self._step()
                pause = _RETRY_FIRST
            except (NatsError, JetStreamError, NotTaken, TimeoutError, OSError) as error:
                log.warning("relay_waits_for_broker", error=repr(error), pause_s=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RETRY_MOST)

    async def watch_backlog(self, every: float = 1.0) -> None:
        """Keep the backlog's size and age in the metrics."""
        while True:
            with contextlib.suppress(Exception):
                rows, age = await self._source.backlog()
                metrics.RELAY_BACKLOG.set(rows)
                metrics.RELAY_OLDEST.set(age)
            await asyncio.sleep(every)

    async def _step(self) -> None:
        if self.recheck.is_set():
            await self._check_incarnation()
        if (early := self._next - time.monotonic()) > 0:
            await asyncio.sleep(early)
        rows = await self._source.take(BATCH, _IDLE)
        if rows:
            await self._until_published(rows)
        if len(rows) < BATCH:
            self._next = time.monotonic() + (_BETWEEN if len(rows) > SINGLY else self._pace)

    async def _until_published(self, rows: Sequence[Row]) -> None:
        """These rows are in memory only here: hold them until the broker has them."""
        pause = _RETRY_FIRST
        while True:
            try:
                if self.recheck.is_set():
                    await self._check_incarnation()
                crash("r1")
                last = await self._publish(rows)
                crash("r2")
                await self._source.acknowledged(rows, self._incarnation, last)
                crash("r3")
                return
            except (NatsError, JetStreamError, NotTaken, TimeoutError, OSError) as error:
                log.warning("relay_waits_for_broker", error=repr(error), rows=len(rows), pause_s=pause)
                self.recheck.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _RETRY_MOST)

    async def _publish(self, rows: Sequence[Row]) -> int:
        if len(rows) <= SINGLY:
            return await self._publish_singly(rows)
        try:
            ack = await self._publish_batch(rows)
        except NotTaken as refusal:
            if refusal.code != _DUPLICATE_IN_BATCH:
                raise
            # A batch with one id the broker has seen is refused whole, for ever. Singly, a repeat is acknowledged.
            return await self._publish_singly(rows)
        metrics.RELAY_PUBLISHED.inc(len(rows))
        return self._note(ack)

    async def _publish_singly(self, rows: Sequence[Row]) -> int:
        return max(await asyncio.gather(*map(self._publish_one, rows)))

    async def _publish_one(self, row: Row) -> int:
        reply = await self._client.request(
            row.subject, row.body, timeout=_ACK_TIMEOUT, headers=envelope.headers(row.id)
        )
        metrics.RELAY_PUBLISHED.inc()
        return self._note(_ack(reply.data))

    async def _publish_batch(self, rows: Sequence[Row]) -> dict[str, Any]:
        if not self._client.is_connected:
            raise ConnectionReconnectingError  # the client would keep a batch nobody waits for and send it late
        batch = ids.random("batch")
        # The client's own `publish` took a third of the relay's time, in checks of subjects and headers we made.
        await self._client._send_command(_wire(rows[:-1], batch))
        last = rows[-1]
        commit = _in_batch(last, batch, len(rows)) | {"Nats-Batch-Commit": "1"}
        reply = await self._client.request(last.subject, last.body, timeout=_ACK_TIMEOUT, headers=commit)
        return _ack(reply.data)

    def _note(self, ack: dict[str, Any]) -> int:
        """A sequence not above what we remember, for something new, means that the broker went back in time."""
        seq = int(ack["seq"])
        if seq <= self._highest and not ack.get("duplicate"):
            self.recheck.set()
        self._highest = max(self._highest, seq)
        return seq

    async def _check_incarnation(self) -> None:
        info = await self._stream_info()
        self.recheck.clear()
        self._incarnation, self._highest = str(info["created"]), int(info["state"]["last_seq"])
        lost = await self._source.forget_beyond(self._incarnation, self._highest)
        if lost:
            log.warning("broker_lost_events", rows=lost, incarnation=self._incarnation, last_seq=self._highest)
            metrics.RELAY_REPLAYED.inc(lost)

    async def _stream_info(self) -> dict[str, Any]:
        reply = await self._client.request(f"$JS.API.STREAM.INFO.{EVENTS}", b"", timeout=_ACK_TIMEOUT)
        return _ack(reply.data)


def _in_batch(row: Row, batch: str, n: int) -> dict[str, str]:
    return envelope.headers(row.id) | {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(n)}


def _wire(rows: Sequence[Row], batch: str) -> bytes:
    """The first messages of a batch as the protocol writes them; they differ in id, sequence, subject and body."""
    fixed = envelope.headers("%s") | {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": "%d"}
    pattern = "NATS/1.0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fixed.items()) + "\r\n"
    parts: list[bytes] = []
    for n, row in enumerate(rows, 1):
        headers = pattern % (row.id, n)
        size = len(headers)
        parts += (f"HPUB {row.subject} {size} {size + len(row.body)}\r\n{headers}".encode(), row.body, b"\r\n")
    return b"".join(parts)


def _ack(raw: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(raw)
    if error := answer.get("error"):
        raise NotTaken(int(error.get("err_code", 0)), str(error.get("description", "")))
    return answer
