"""kill -9 of each service in turn while texts come in and go out: nothing is lost, nothing is sent twice."""

from __future__ import annotations

import asyncio

import pytest

from tests.faults.auditor import Evidence, until_clean
from tests.faults.traffic import Sender, an_agent, receive_many, send_many
from tests.support.stack import Stack

TEXTS = 300
RATE = 75.0


@pytest.mark.timeout(180)
@pytest.mark.parametrize("victim", ["gateway", "messaging", "billing", "mcp-edge", "audit", "provisioning", "streams"])
async def test_kill_minus_nine_loses_nothing_and_sends_nothing_twice(stack: Stack, victim: str) -> None:
    agent = an_agent(stack)
    sender = Sender(stack.edges, agent)

    async def kill() -> int:
        await sender.half_way(TEXTS)
        return await asyncio.to_thread(stack.kill, victim)

    burst, _, old = await asyncio.gather(receive_many(stack, agent, TEXTS, RATE), send_many(sender, TEXTS), kill())
    await asyncio.to_thread(stack.wait_restarted, victim, old)
    assert burst["outcomes"] == {"delivered": TEXTS}
    assert len(sender.accepted) == TEXTS, sender.refused

    def every_text_is_there(evidence: Evidence) -> list[str]:
        mine = [m for m in evidence.messages if m["agent"] == agent.agent]
        inbound = sum(m["direction"] == "in" for m in mine)
        sent = sum(m["direction"] == "out" and m["status"] in ("sent", "delivered") for m in mine)
        return [] if (inbound, sent) == (TEXTS, TEXTS) else [f"{inbound} texts in, {sent} sent, of {TEXTS} each"]

    await asyncio.to_thread(until_clean, stack, also=every_text_is_there)
