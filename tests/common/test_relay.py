"""The relay: few rows one by one, many in a batch, each in the stream once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import nats
import pytest
from common import envelope
from common.relay import BATCH, SINGLY, Relay, Row
from common.streams import EVENTS
from nats.aio.client import Client

from tests.support.servers import Broker

SUBJECT = "comms.org.tests.v1.thing.happened"


class Rows:
    """A source that has all its rows from the start, and knows when the broker has them."""

    def __init__(self, count: int, at_once: int = BATCH) -> None:
        self.publications = 0
        self._at_once = at_once
        self.waiting = [
            Row(n, f"{n:032x}", "comms.org.tests.v1.thing.happened", b"%d" % n) for n in range(1, count + 1)
        ]
        self.done = asyncio.Event()
        self._last = count

    async def take(self, limit: int, timeout: float) -> Sequence[Row]:
        limit = min(limit, self._at_once)
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        if not taken:
            await asyncio.Event().wait()  # there is no more to come
        return taken

    async def acknowledged(self, rows: Sequence[Row], incarnation: str, last_seq: int) -> None:
        self.publications += 1
        if rows[-1].seq == self._last:
            self.done.set()

    async def forget_beyond(self, incarnation: str, last_seq: int) -> int:
        return 0

    async def backlog(self) -> tuple[int, float]:
        return len(self.waiting), 0.0


async def publish(client: Client, source: Rows, *, pace: float = 0.0) -> None:
    relay = asyncio.create_task(Relay(source, client, pace=pace).run())
    async with asyncio.timeout(10):
        await source.done.wait()
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)


@pytest.mark.parametrize(("count", "batched"), [(1, False), (SINGLY, False), (SINGLY + 1, True), (BATCH + 1, True)])
async def test_every_row_is_in_the_stream_once_in_order_with_its_headers(
    broker: Broker, count: int, batched: bool
) -> None:
    client = await nats.connect(broker.url)
    await publish(client, Rows(count))
    messages = [await client.jetstream().get_msg(EVENTS, n) for n in range(1, count + 1)]
    assert [message.data for message in messages] == [b"%d" % n for n in range(1, count + 1)]
    first = messages[0].headers or {}
    assert first.items() >= envelope.headers(f"{1:032x}").items()
    assert ("Nats-Batch-Id" in first) is batched
    assert (await client.jetstream().stream_info(EVENTS)).state.messages == count
    await client.close()


@pytest.mark.parametrize(("at_once", "publications"), [(3, 20), (SINGLY + 4, 3), (BATCH, 1)])
async def test_with_a_pace_every_row_is_in_the_stream_once_in_order(
    broker: Broker, at_once: int, publications: int
) -> None:
    """Few at a time, more than a pace is kept for, and all that there are."""
    client = await nats.connect(broker.url)
    source = Rows(60, at_once)
    await publish(client, source, pace=0.02)
    assert source.publications == publications
    stored = [int((await client.jetstream().get_msg(EVENTS, n)).data or b"") for n in range(1, 61)]
    assert stored == list(range(1, 61))
    assert (await client.jetstream().stream_info(EVENTS)).state.messages == 60
    await client.close()
