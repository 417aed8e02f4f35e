"""The broker dies, or loses everything it had: texts are taken all the same, and none is lost or doubled."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.faults.auditor import Evidence, until_clean
from tests.faults.traffic import Agent, Sender, an_agent, receive_many, send_many
from tests.support.stack import Stack


@contextlib.contextmanager
def broker_down(stack: Stack) -> Iterator[None]:
    """Kill the broker and sit on its port, so that whoever starts it again fails until we leave."""
    port = urlsplit(str(stack.run["nats"])).port
    with socket.socket() as seat:
        seat.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deadline = time.monotonic() + 10
        while True:
            with contextlib.suppress(ProcessLookupError):
                stack.kill("nats")
            try:
                seat.bind(("127.0.0.1", port))
                seat.listen()
                break
            except OSError:
                assert time.monotonic() < deadline, "the broker's port is never free"
        yield


def lose_everything(stack: Stack) -> None:
    with broker_down(stack):
        stores = list(Path(stack.run["data"]).glob("**/jetstream"))
        assert stores, "the broker keeps its data somewhere else now"
        for store in stores:
            shutil.rmtree(store)


def in_the_inbox(agent: Agent, count: int) -> object:
    def check(evidence: Evidence) -> list[str]:
        found = sum(m["agent"] == agent.agent and m["direction"] == "in" for m in evidence.messages)
        return [] if found == count else [f"{found} of {count} texts are in the inbox"]

    return check


@pytest.mark.timeout(180)
async def test_a_broker_dead_for_ten_seconds_delays_texts_and_loses_none(stack: Stack) -> None:
    agent = an_agent(stack)
    with broker_down(stack):
        burst = await receive_many(stack, agent, 200, 20)  # which takes ten seconds
        assert burst["outcomes"] == {"delivered": 200}
    await asyncio.to_thread(until_clean, stack, also=in_the_inbox(agent, 200))  # type: ignore[arg-type]


@pytest.mark.timeout(240)
async def test_a_broker_that_lost_all_its_data_in_mid_flow_costs_no_text(stack: Stack) -> None:
    agent = an_agent(stack)

    sender = Sender(stack.edges, agent)

    async def wipe() -> None:
        await sender.half_way(200)
        await asyncio.to_thread(lose_everything, stack)

    burst, _, _ = await asyncio.gather(receive_many(stack, agent, 200, 50), send_many(sender, 200), wipe())
    assert burst["outcomes"] == {"delivered": 200}
    assert len(sender.accepted) == 200, sender.refused
    await asyncio.to_thread(until_clean, stack, seconds=90, also=in_the_inbox(agent, 200))  # type: ignore[arg-type]
