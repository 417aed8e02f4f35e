"""kill -9 of each service in turn while texts come in and go out: nothing is lost in silence, nothing is sent twice.

Who dies after committing to a request and before its first byte cannot know that nothing left. Such a text is looked
for at the provider, and when it is not there its agent is told that it has failed; nobody sends it a second time. This
can happen to the texts messaging has on their way when it dies, and to no other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.faults.auditor import Evidence, until_clean
from tests.faults.conftest import AT_ONCE
from tests.faults.traffic import Agent, Sender, an_agent, receive_many, send_many
from tests.support.stack import Stack

VICTIMS = ("messaging", "gateway", "billing", "mcp-edge", "audit", "provisioning", "streams")
"""Messaging first: no text of another's turn can be on its way when it dies."""
TEXTS = 301
EACH = TEXTS // len(VICTIMS)
RATE = 40.0


@pytest.mark.timeout(240)
async def test_kill_minus_nine_of_each_in_turn_loses_nothing_and_sends_nothing_twice(stack: Stack) -> None:
    agent = an_agent(stack)
    accepted = {victim: await accepted_while_dying(stack, agent, victim) for victim in VICTIMS}

    def check(evidence: Evidence) -> list[str]:
        came = sum(message["agent"] == agent.agent and message["direction"] == "in" for message in evidence.messages)
        wrong = [] if came == TEXTS else [f"{came} of {TEXTS} texts came in"]
        for victim, texts in accepted.items():
            wrong += unaccounted(evidence, texts, may_fail=AT_ONCE if victim == "messaging" else 0)
        return wrong

    await asyncio.to_thread(until_clean, stack, also=check)


async def accepted_while_dying(stack: Stack, agent: Agent, victim: str) -> dict[str, str]:
    """A seventh of the texts each way, the victim killed in the middle of them; the messages of those sent, by body."""
    sender = Sender(stack.edges, agent)

    async def kill() -> int:
        await sender.half_way(EACH)
        return await asyncio.to_thread(stack.kill, victim)

    burst, _, old = await asyncio.gather(
        receive_many(stack, agent, EACH, RATE), send_many(sender, EACH, at_once=2), kill()
    )
    assert burst["outcomes"] == {"delivered": EACH}, victim
    assert len(sender.accepted) == EACH, (victim, sender.refused)
    await asyncio.to_thread(stack.wait_restarted, victim, old)
    return sender.accepted


def unaccounted(evidence: Evidence, accepted: dict[str, str], *, may_fail: int) -> Iterator[str]:
    """Out: at the provider once and held for sent; or, for as many as may fail, told as failed and not there."""
    taken = Counter(entry["body"] for entry in evidence.taken_out)
    status = {message["message"]: message["status"] for message in evidence.messages}
    for body, message in accepted.items():
        if taken[body] and (taken[body] > 1 or status.get(message) not in ("sent", "delivered")):
            yield f"{body} is {status.get(message)}, and {taken[body]} times at the provider"
    lost = [message for body, message in accepted.items() if not taken[body]]
    if len(lost) > may_fail:
        yield f"{len(lost)} texts are not at the provider, and at most {may_fail} could be on their way"
    for message in lost:
        yield from untold(evidence, message)


def untold(evidence: Evidence, message: str) -> Iterator[str]:
    """What is missing for this text to be one that was looked for, not found, told as failed and not paid for."""
    operation = next((row["operation"] for row in evidence.operations if row["message"] == message), None)
    attempts = [row["state"] for row in evidence.attempts if row["operation"] == operation]
    told = [event["code"] for event in evidence.not_sent if event["message"] == message]
    steps = [row["what"] for row in evidence.steps if row["message"] == message]
    charges = [row["state"] for row in evidence.charges if row["hold"] == operation]
    status = [row["status"] for row in evidence.messages if row["message"] == message]
    expected = {
        "attempts": (attempts, ["not_taken"]),
        "events": (told, ["not_at_provider"]),
        "steps": (steps, ["money held", "accepted", "handed to the provider", "unknown", "not sent"]),
        "charges": (charges, ["released"]),
        "status": (status, ["failed"]),
    }
    for what, (found, wanted) in expected.items():
        if found != wanted:
            yield f"message {message} is not at the provider, and its {what} are {found}, not {wanted}"
