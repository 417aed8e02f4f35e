"""The relay: few rows one by one, many in a batch, each in the stream once and in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import nats
import pytest
from common import envelope
from common.relay import BATCH, SINGLY, Relay, Row
from common.streams import EVENTS

from tests.support.servers import Broker

SUBJECT = "comms.org.tests.v1.thing.happened"


class Rows:
    """A source that has all its rows from the start, and knows when the broker has them."""

    def __init__(self, count: int) -> None:
        self.waiting = [
            Row(n, f"{n:032x}", "comms.org.tests.v1.thing.happened", b"%d" % n) for n in range(1, count + 1)
        ]
        self.done = asyncio.Event()
        self._last = count

    async def take(self, limit: int, timeout: float) -> Sequence[Row]:
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        if not taken:
            await asyncio.Event().wait()  # there is no more to come
        return taken

    async def acknowledged(self, rows: Sequence[Row], incarnation: str, last_seq: int) -> None:
        if rows[-1].seq == self._last:
            self.done.set()

    async def forget_beyond(self, incarnation: str, last_seq: int) -> int:
        return 0

    async def backlog(self) -> tuple[int, float]:
        return len(self.waiting), 0.0


@pytest.mark.parametrize(("count", "batched"), [(1, False), (SINGLY, False), (SINGLY + 1, True), (BATCH + 1, True)])
async def test_every_row_is_in_the_stream_once_in_order_with_its_headers(
    broker: Broker, count: int, batched: bool
) -> None:
    client = await nats.connect(broker.url)
    source = Rows(count)
    relay = asyncio.create_task(Relay(source, client).run())
    async with asyncio.timeout(10):
        await source.done.wait()
    relay.cancel()
    await asyncio.gather(relay, return_exceptions=True)
    messages = [await client.jetstream().get_msg(EVENTS, n) for n in range(1, count + 1)]
    assert [message.data for message in messages] == [b"%d" % n for n in range(1, count + 1)]
    first = messages[0].headers or {}
    assert first.items() >= envelope.headers(f"{1:032x}").items()
    assert ("Nats-Batch-Id" in first) is batched
    assert (await client.jetstream().stream_info(EVENTS)).state.messages == count
    await client.close()
