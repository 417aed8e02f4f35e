"""Waiting for messages: long polls and subscriptions, woken by hints from the broker."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.catalogue.messages import GetMessages, LeaseMessages, Messages, Waiting, WithdrawLease
from common.catalogue.values import Done
from mcp.client.subscriptions import ResourceUpdated
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult
from prometheus_client import REGISTRY

from tests.mcp_edge.house import AGENT, ORGANISATION, House, a_message, until

EMPTY = Waiting(messages=[])


def handed(*bodies: str) -> Waiting:
    until = datetime.now(UTC) + timedelta(minutes=1)
    messages = [a_message(body, n + 1) for n, body in enumerate(bodies)]
    return Waiting(messages=messages, lease="lse_1", leased_until=until)


def answered() -> float:
    """How many waits have ended in this process, one way or another."""
    labels = {"tool": "comms_get_waiting_messages"}
    return REGISTRY.get_sample_value("switchboard_tool_seconds_count", labels) or 0.0


async def withdrawn(house: House) -> list[str]:
    """The orders that nobody waits for any more, as soon as messaging heard of one."""
    await until(lambda: house.messaging.of(WithdrawLease))
    withdrawals = house.messaging.of(WithdrawLease)
    assert {(one.organisation, one.agent) for one in withdrawals} == {(ORGANISATION, AGENT)}
    return [one.lease_order for one in withdrawals]


def bodies(result: CallToolResult) -> list[str]:
    assert result.structured_content is not None
    return [message["body"] for message in result.structured_content["messages"]]


async def test_messages_that_wait_are_handed_out_at_once(house: House, era: str) -> None:
    house.messaging.on(LeaseMessages, handed("one", "two"))
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token, mode=era) as client:
        arguments = {"wait_s": 45, "limit": 5, "lease_seconds": 90}
        result = await client.call_tool("comms_get_waiting_messages", arguments)
    assert bodies(result) == ["one", "two"]
    assert result.structured_content is not None
    assert "comms_ack_messages" in result.structured_content["next"]
    [order] = house.messaging.asked
    assert (order.organisation, order.agent, order.limit, order.lease_seconds) == (ORGANISATION, AGENT, 5, 90)


async def test_what_is_dealt_with_is_named_once_when_the_next_is_waited_for(house: House, era: str) -> None:
    answers = [EMPTY, handed("two")]
    house.messaging.on(LeaseMessages, lambda _order: answers[len(house.messaging.asked) - 1])
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token, mode=era) as client:
        waiting = asyncio.create_task(
            client.call_tool("comms_get_waiting_messages", {"acknowledge": ["msg_1"], "wait_s": 30})
        )
        await until(lambda: len(house.messaging.asked) == 1)
        await house.text_arrives()
        assert bodies(await asyncio.wait_for(waiting, 5)) == ["two"]
    assert [order.acknowledge for order in house.messaging.asked] == [["msg_1"], []]


async def test_the_owner_is_asked_once_and_its_late_answer_reaches_the_caller(house: House, era: str) -> None:
    late = house.messaging.held()
    house.messaging.on(LeaseMessages, late)
    token = await house.token()
    async with house.an_edge() as edge, edge.mcp(token, mode=era) as client:
        waiting = asyncio.create_task(client.call_tool("comms_get_waiting_messages", {"wait_s": 45}))
        await until(lambda: house.messaging.asked)
        late.set_result(handed("late"))
        assert bodies(await asyncio.wait_for(waiting, 5)) == ["late"]
    # The edge has ended, and with it all that it had to do: nothing was withdrawn, and nobody asked again.
    [order] = house.messaging.asked
    assert 30 < order.wait_s <= 45


async def test_an_owner_that_says_nothing_after_a_hint_is_given_up_for_another(house: House, era: str) -> None:
    answers: list[Any] = [house.messaging.held(), handed("from the other")]
    house.messaging.on(LeaseMessages, lambda _order: answers.pop(0))
    house.messaging.on(WithdrawLease, Done(changed=False))
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token, mode=era) as client:
        waiting = asyncio.create_task(
            client.call_tool("comms_get_waiting_messages", {"wait_s": 45, "acknowledge": ["msg_0"]})
        )
        await until(lambda: house.messaging.asked)
        await house.text_arrives()
        assert bodies(await asyncio.wait_for(waiting, 10)) == ["from the other"]
    first, second = house.messaging.of(LeaseMessages)
    assert first.id != second.id
    assert first.acknowledge == second.acknowledge == ["msg_0"]  # nobody said that it was done
    assert 20 < second.wait_s <= 45
    assert await withdrawn(house) == [first.id]


async def test_a_caller_is_told_when_nobody_answers(house: House) -> None:
    house.messaging.on(LeaseMessages, house.messaging.held())
    house.messaging.on(WithdrawLease, Done(changed=False))
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client:
        result = await asyncio.wait_for(client.call_tool("comms_get_waiting_messages", {"wait_s": 0}), 20)
    assert result.is_error


async def test_a_hint_ends_the_wait_and_another_agent_s_does_not(house: House, era: str) -> None:
    house.messaging.on(LeaseMessages, EMPTY)
    token, other = await house.token(), await house.token(agent="agt_2")
    edge = await house.edge()
    async with edge.mcp(token, mode=era) as client, edge.mcp(other, mode=era) as stranger:
        waiting = asyncio.create_task(client.call_tool("comms_get_waiting_messages", {"wait_s": 30}))
        theirs = asyncio.create_task(stranger.call_tool("comms_get_waiting_messages", {"wait_s": 30}))
        await until(lambda: len(house.messaging.asked) == 2)
        house.messaging.on(LeaseMessages, handed("hello"))
        await house.text_arrives(organisation="org_2")
        await house.text_arrives(agent="agt_2")
        assert bodies(await asyncio.wait_for(theirs, 5)) == ["hello"]
        assert [order.agent for order in house.messaging.asked].count(AGENT) == 1
        await house.text_arrives()
        assert bodies(await asyncio.wait_for(waiting, 5)) == ["hello"]


async def test_waiting_in_vain_says_to_ask_again(house: House) -> None:
    house.messaging.on(LeaseMessages, EMPTY)
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client:
        result = await client.call_tool("comms_get_waiting_messages", {"wait_s": 0.2})
    assert bodies(result) == []
    assert result.structured_content is not None
    assert "again" in result.structured_content["next"]


async def test_an_owner_that_answers_early_is_asked_again(house: House) -> None:
    answers = [EMPTY, handed("left behind")]
    house.messaging.on(LeaseMessages, lambda _order: answers[min(len(house.messaging.asked), 2) - 1])
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client:
        result = await asyncio.wait_for(client.call_tool("comms_get_waiting_messages", {"wait_s": 30}), 20)
    assert bodies(result) == ["left behind"]


async def test_progress_is_told_while_waiting(house: House, era: str) -> None:
    house.messaging.on(LeaseMessages, EMPTY)
    token = await house.token()
    edge = await house.edge(edge_progress_seconds=0.05)
    told: list[float] = []

    async def follow(progress: float, total: float | None, message: str | None) -> None:
        assert (total, message) == (0.5, "no message yet, still waiting")
        told.append(progress)

    async with edge.mcp(token, mode=era) as client:
        await client.call_tool("comms_get_waiting_messages", {"wait_s": 0.5}, progress_callback=follow)
    assert len(told) >= 2
    assert told == sorted(told)


async def test_a_token_that_dies_ends_its_wait(house: House) -> None:
    house.messaging.on(LeaseMessages, EMPTY)
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client:
        waiting = asyncio.create_task(client.call_tool("comms_get_waiting_messages", {"wait_s": 30}))
        await until(lambda: len(house.messaging.asked) == 1)
        await house.revoke(token)
        result = await asyncio.wait_for(waiting, 5)
    assert result.is_error
    assert result.structured_content is not None
    assert result.structured_content["code"] == "unauthorised"


async def test_a_caller_who_leaves_is_handed_nothing(house: House) -> None:
    house.messaging.on(LeaseMessages, EMPTY)
    token = await house.token()
    edge = await house.edge()
    before = answered()
    async with edge.rest(token) as client:
        waiting = asyncio.create_task(client.post("/v1/agents/me/inbox/lease", json={"wait_s": 30}))
        await until(lambda: len(house.messaging.asked) == 1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    await until(lambda: answered() == before + 1)  # the server has seen the caller go
    await house.text_arrives()
    async with edge.rest(token) as other:
        await other.get("/v1/me")
    assert len(house.messaging.asked) == 1


async def test_a_caller_who_leaves_withdraws_its_order(house: House) -> None:
    house.messaging.on(LeaseMessages, house.messaging.held())
    house.messaging.on(WithdrawLease, Done(changed=False))
    token = await house.token()
    edge = await house.edge()
    async with edge.rest(token) as client:
        waiting = asyncio.create_task(client.post("/v1/agents/me/inbox/lease", json={"wait_s": 30}))
        await until(lambda: house.messaging.asked)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    [order] = house.messaging.of(LeaseMessages)
    assert await withdrawn(house) == [order.id]
    assert house.messaging.of(LeaseMessages) == [order]


async def test_a_wait_whose_token_dies_withdraws_its_order(house: House) -> None:
    house.messaging.on(LeaseMessages, house.messaging.held())
    house.messaging.on(WithdrawLease, Done(changed=False))
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client:
        waiting = asyncio.create_task(client.call_tool("comms_get_waiting_messages", {"wait_s": 30}))
        await until(lambda: house.messaging.asked)
        await house.revoke(token)
        result = await asyncio.wait_for(waiting, 5)
    assert result.structured_content is not None
    assert result.structured_content["code"] == "unauthorised"
    [order] = house.messaging.of(LeaseMessages)
    assert await withdrawn(house) == [order.id]


async def test_a_subscription_says_when_the_inbox_changed(house: House) -> None:
    house.messaging.on(GetMessages, Messages(messages=[a_message()], cursor=1, more=False))
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client, client.listen(resource_subscriptions=["inbox://me"]) as stream:
        await house.text_arrives(agent="agt_2")
        await house.text_arrives()
        event = await asyncio.wait_for(anext(aiter(stream)), 5)
        assert event == ResourceUpdated("inbox://me")
        read: Any = await client.read_resource("inbox://me?after=0&limit=5")
    assert "hello" in read.contents[0].text
    assert [(asked.agent, asked.limit) for asked in house.messaging.asked] == [(AGENT, 5)]


async def test_a_subscription_ends_with_its_token(house: House) -> None:
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client, client.listen(resource_subscriptions=["inbox://me"]) as stream:
        await house.revoke(token)
        async with asyncio.timeout(5):
            events = [event async for event in stream]
    assert events == []


async def test_another_s_inbox_is_as_if_it_did_not_exist(house: House, era: str) -> None:
    mine, organisation = await house.token(), await house.token("organisation")
    edge = await house.edge()
    refusals = []
    for token, uri in ((mine, "inbox://agt_2"), (mine, "inbox://nobody"), (organisation, "inbox://me")):
        async with edge.mcp(token, mode=era) as client:
            with pytest.raises(MCPError) as refused:
                await client.read_resource(uri)
            refusals.append(refused.value.code)
    assert len(set(refusals)) == 1
    assert house.messaging.asked == []


async def test_only_an_agent_has_an_inbox(house: House) -> None:
    mine, organisation = await house.token(), await house.token("organisation")
    edge = await house.edge()
    async with edge.mcp(mine) as client:
        assert [str(resource.uri) for resource in (await client.list_resources()).resources] == ["inbox://me"]
    async with edge.mcp(organisation) as client:
        assert (await client.list_resources()).resources == []


async def test_a_stopping_edge_lets_waits_go(house: House) -> None:
    house.messaging.on(LeaseMessages, EMPTY)
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client:
        waiting = asyncio.create_task(client.call_tool("comms_get_waiting_messages", {"wait_s": 30}))
        await until(lambda: len(house.messaging.asked) == 1)
        edge.service.http[0].should_exit = True
        result = await asyncio.wait_for(waiting, 3)
    assert result.structured_content is not None
    assert result.structured_content["code"] == "restarting"


async def test_a_stopping_edge_withdraws_what_it_waits_for_before_it_ends(house: House) -> None:
    house.messaging.on(LeaseMessages, house.messaging.held())
    house.messaging.on(WithdrawLease, Done(changed=False))
    token = await house.token()
    async with house.an_edge() as edge, edge.rest(token) as client:
        posting = [client.post("/v1/agents/me/inbox/lease", json={"wait_s": 30}) for _ in range(3)]
        waits = [asyncio.create_task(one) for one in posting]
        await until(lambda: len(house.messaging.asked) == 3)
        edge.service.http[0].should_exit = True
        told = [(await asyncio.wait_for(one, 5)).json()["code"] for one in waits]
    assert told == ["restarting"] * 3
    assert sorted(await withdrawn(house)) == sorted(order.id for order in house.messaging.of(LeaseMessages))
