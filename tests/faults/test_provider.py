"""The provider cuts the line, answers late, twice, in any order, or not at all: one intent stays one text."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.faults.auditor import until_clean
from tests.faults.traffic import Agent, Sender, an_agent, person, send_many
from tests.support.stack import Stack


def fault(stack: Stack, agent: Agent, kind: str, **options: Any) -> None:
    with stack.control() as control:
        control.post("/faults", json={"kind": kind, **options}).raise_for_status()


@pytest.fixture(autouse=True)
def no_faults_left(stack: Stack) -> None:
    with stack.control() as control:
        control.delete("/faults").raise_for_status()


@pytest.mark.timeout(180)
async def test_lines_cut_after_acceptance_end_as_one_text_each(stack: Stack) -> None:
    agent = an_agent(stack)
    fault(stack, agent, "cut_after", operation="messages.create", probability=0.5, seed=7)
    sender = Sender(stack.edges, agent)
    await send_many(sender, 40)
    assert len(sender.accepted) == 40
    evidence = await asyncio.to_thread(until_clean, stack)
    assert sum(entry["sender"] == agent.number for entry in evidence.taken_out) == 40


@pytest.mark.timeout(180)
async def test_lines_cut_before_acceptance_end_as_not_sent_and_never_as_two_texts(stack: Stack) -> None:
    agent = an_agent(stack)
    fault(stack, agent, "cut_before", operation="messages.create", probability=0.5, seed=11)
    sender = Sender(stack.edges, agent)
    await send_many(sender, 30)
    evidence = await asyncio.to_thread(until_clean, stack)
    taken = {entry["body"] for entry in evidence.taken_out if entry["sender"] == agent.number}
    statuses = {m["body"]: m["status"] for m in evidence.messages if m["agent"] == agent.agent}
    assert {body for body in sender.accepted if statuses[body] in ("sent", "delivered")} == taken
    assert set(statuses.values()) <= {"sent", "delivered", "failed"}


@pytest.mark.timeout(180)
async def test_a_callback_withheld_is_made_up_for_by_the_providers_list(stack: Stack) -> None:
    agent = an_agent(stack)
    fault(stack, agent, "callbacks_dropped")
    fault(stack, agent, "5xx_after", operation="messages.create", times=10)
    await send_many(Sender(stack.edges, agent), 10)
    evidence = await asyncio.to_thread(until_clean, stack)
    assert sum(entry["sender"] == agent.number for entry in evidence.taken_out) == 10


@pytest.mark.timeout(180)
async def test_callbacks_doubled_and_out_of_order_never_move_a_status_back(stack: Stack) -> None:
    agent = an_agent(stack)
    fault(stack, agent, "callbacks_duplicated", copies=3)
    fault(stack, agent, "callbacks_reordered")
    await send_many(Sender(stack.edges, agent), 30)
    evidence = await asyncio.to_thread(until_clean, stack)
    mine = [m["status"] for m in evidence.messages if m["agent"] == agent.agent]
    assert mine == ["delivered"] * 30


@pytest.mark.timeout(180)
async def test_a_provider_that_is_busy_is_asked_later_and_only_once_in_effect(stack: Stack) -> None:
    agent = an_agent(stack)
    fault(stack, agent, "429", operation="messages.create", times=10, retry_after=0.2)
    await send_many(Sender(stack.edges, agent), 20)
    evidence = await asyncio.to_thread(until_clean, stack)
    assert sum(entry["sender"] == agent.number for entry in evidence.taken_out) == 20


@pytest.mark.timeout(180)
async def test_webhooks_sent_many_times_are_one_message_each(stack: Stack) -> None:
    agent = an_agent(stack)
    fault(stack, agent, "webhooks_duplicated", copies=5)
    with stack.control() as control:
        for n in range(20):
            text = {"from": person(n), "to": agent.number, "body": f"again {n}", "wait_s": 0}
            control.post("/texts", json=text).raise_for_status()
    await asyncio.to_thread(
        until_clean,
        stack,
        also=lambda evidence: (
            [] if sum(m["agent"] == agent.agent for m in evidence.messages) == 20 else ["not twenty messages yet"]
        ),
    )


@pytest.mark.timeout(180)
async def test_no_attempt_begins_after_stop_even_when_the_carrier_would_let_it(stack: Stack) -> None:
    agent = an_agent(stack)
    with stack.control() as control:
        control.put("/opt-out", json={"enabled": False}).raise_for_status()
        sender = Sender(stack.edges, agent)
        target = person(77)

        async def stop() -> None:
            await sender.half_way(80)
            text = {"from": target, "to": agent.number, "body": "STOP", "wait_s": 10}
            await asyncio.to_thread(lambda: control.post("/texts", json=text).raise_for_status())

        await asyncio.gather(send_many(sender, 200, to=target), stop())
        control.put("/opt-out", json={"enabled": True}).raise_for_status()
    assert sender.refused, "the STOP never took effect"
    await asyncio.to_thread(until_clean, stack)
