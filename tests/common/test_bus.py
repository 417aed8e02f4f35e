"""The connection to the broker outlives an impatient ping."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from common.bus import Bus
from common.errors import Unavailable

from tests.support.servers import Broker


async def test_a_late_answer_to_a_ping_costs_nobody_the_connection(broker: Broker) -> None:
    connected = 0

    async def count() -> None:
        nonlocal connected
        connected += 1

    bus = Bus("tester", broker.url)
    bus.on_reconnect(count)
    await bus.start()
    assert broker.process
    broker.process.send_signal(signal.SIGSTOP)
    os.waitpid(broker.process.pid, os.WUNTRACED)  # noqa: ASYNC222 - it stops at once
    try:
        with pytest.raises(Unavailable):
            await bus.ping()
    finally:
        broker.process.send_signal(signal.SIGCONT)
    await bus.ping()
    given_up = asyncio.create_task(bus.ping())
    await asyncio.sleep(0)
    given_up.cancel()
    await bus.ping()
    assert connected == 1
    await bus.stop()
