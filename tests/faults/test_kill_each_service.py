"""kill -9 of each service in turn while texts come in and go out: nothing is lost, nothing is sent twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.faults.auditor import Evidence, until_clean
from tests.faults.traffic import Agent, Sender, an_agent, receive_many, send_many
from tests.support.stack import Stack

VICTIMS = ("gateway", "messaging", "billing", "mcp-edge", "audit", "provisioning", "streams")
TEXTS = 301
EACH = TEXTS // len(VICTIMS)
RATE = 40.0


@pytest.mark.timeout(240)
async def test_kill_minus_nine_of_each_in_turn_loses_nothing_and_sends_nothing_twice(stack: Stack) -> None:
    agent = an_agent(stack)
    senders = [await texts_while_dying(stack, agent, victim) for victim in VICTIMS]
    accepted = {body: message for sender in senders for body, message in sender.accepted.items()}
    assert len(accepted) == TEXTS, [sender.refused for sender in senders]
    await asyncio.to_thread(until_clean, stack, also=every_text_is_accounted_for(agent, accepted))


async def texts_while_dying(stack: Stack, agent: Agent, victim: str) -> Sender:
    """A seventh of the texts each way, the victim killed in the middle of them."""
    sender = Sender(stack.edges, agent)

    async def kill() -> int:
        await sender.half_way(EACH)
        return await asyncio.to_thread(stack.kill, victim)

    burst, _, old = await asyncio.gather(
        receive_many(stack, agent, EACH, RATE), send_many(sender, EACH, at_once=2), kill()
    )
    assert burst["outcomes"] == {"delivered": EACH}, victim
    await asyncio.to_thread(stack.wait_restarted, victim, old)
    return sender


def every_text_is_accounted_for(agent: Agent, accepted: dict[str, str]) -> Callable[[Evidence], list[str]]:
    """In: all in the inbox. Out: at the provider, or told as failed and truly not there.

    Who dies between committing to a request and its first byte cannot know that nothing left. The text is looked for at
    the provider, and when it is not there it has failed; nobody sends it a second time.
    """

    def check(evidence: Evidence) -> list[str]:
        mine = [message for message in evidence.messages if message["agent"] == agent.agent]
        inbound = sum(message["direction"] == "in" for message in mine)
        status = {message["message"]: message["status"] for message in mine if message["direction"] == "out"}
        at_provider = {entry["body"] for entry in evidence.taken_out}
        wrong = [] if inbound == TEXTS else [f"{inbound} of {TEXTS} texts came in"]
        for body, message in accepted.items():
            expected = ("sent", "delivered") if body in at_provider else ("failed",)
            if status.get(message) not in expected:
                wrong.append(
                    f"{body} is {status.get(message)} and {'' if body in at_provider else 'not '}at the provider"
                )
        if (failed := sum(one == "failed" for one in status.values())) > len(VICTIMS):
            wrong.append(f"{failed} texts failed: more than were on their way when somebody died")
        return wrong

    return check
