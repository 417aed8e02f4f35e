"""The tools, driven by the official client in both protocol eras."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from common.catalogue.messages import (
    AcknowledgeMessages,
    GetMessages,
    Messages,
    MessageTrace,
    SendMessage,
    SendReply,
    TraceMessage,
)
from common.catalogue.provisioning import CreateOrganisation, OrganisationReply
from common.catalogue.values import Done, Money
from common.errors import Rejected, Unavailable
from mcp.shared.exceptions import MCPError

from tests.mcp_edge.house import AGENT, ORGANISATION, House, a_message

ACCEPTED = SendReply(message="msg_9", thread="thr_1", status="accepted", segments=1, held=Money(micros=8300))


async def test_each_tier_is_shown_its_own_tools_and_at_most_twelve(house: House, era: str) -> None:
    tokens = {tier: await house.token(tier) for tier in ("agent", "organisation", "operator")}
    edge = await house.edge()
    shown: dict[str, dict[str, Any]] = {}
    for tier, token in tokens.items():
        async with edge.mcp(token, mode=era) as client:
            shown[tier] = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert {len(tools) for tools in shown.values()} <= set(range(13))
    assert {"comms_send_message", "comms_get_waiting_messages", "comms_ack_messages"} <= set(shown["agent"])
    assert "comms_provision_channels" not in shown["agent"]
    assert "comms_create_organization" in shown["operator"]
    assert "comms_create_organization" not in shown["organisation"]


async def test_an_agent_is_never_asked_who_it_is(house: House) -> None:
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token, query="?profile=all") as client:
        for tool in (await client.list_tools()).tools:
            assert not {"agent", "organisation"} & set(tool.input_schema["properties"]), tool.name
            assert tool.input_schema["additionalProperties"] is False


async def test_the_rest_of_the_tools_is_behind_a_profile(house: House) -> None:
    token = await house.token("organisation")
    edge = await house.edge()
    names: dict[str, set[str]] = {}
    for profile in ("core", "operations", "all"):
        async with edge.mcp(token, query=f"?profile={profile}") as client:
            names[profile] = {tool.name for tool in (await client.list_tools()).tools}
    assert names["core"] | names["operations"] == names["all"]
    assert not names["core"] & names["operations"]
    assert "comms_record_consent" in names["operations"]


async def test_an_agent_sends_as_itself(house: House, era: str) -> None:
    house.messaging.on(SendMessage, ACCEPTED)
    token = await house.token()
    edge = await house.edge()
    later = datetime.now(UTC) + timedelta(minutes=5)
    async with edge.mcp(token, mode=era) as client:
        arguments = {"to": "+14155550123", "body": "hi", "idempotency_key": "k1", "not_after": later.isoformat()}
        result = await client.call_tool("comms_send_message", arguments)
    assert not result.is_error
    assert result.structured_content is not None
    assert result.structured_content["message"] == "msg_9"
    [order] = house.messaging.asked
    assert (order.organisation, order.agent, order.to, order.body) == (ORGANISATION, AGENT, "+14155550123", "hi")
    assert (order.key, order.key_derived, order.not_after) == ("k1", False, later)
    assert (order.actor.tier, order.actor.token) == ("agent", "tok_0")


async def test_without_a_key_the_same_arguments_have_the_same_key(house: House) -> None:
    house.messaging.on(SendMessage, ACCEPTED)
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client:
        for body in ("hi", "hi", "ho"):
            await client.call_tool("comms_send_message", {"to": "+14155550123", "body": body})
    first, second, other = house.messaging.asked
    assert first.key == second.key != other.key
    assert first.id != second.id
    assert first.key_derived


async def test_an_unknown_argument_is_refused_and_nothing_is_asked(house: House, era: str) -> None:
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token, mode=era) as client:
        arguments = {"to": "+14155550123", "body": "hi", "agent": "agt_2"}
        result = await client.call_tool("comms_send_message", arguments)
    assert result.is_error
    assert result.structured_content is not None
    assert result.structured_content["code"] == "bad_arguments"
    assert result.structured_content["fields"] == {"agent": "unknown argument"}
    assert house.messaging.asked == []


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"body": 5, "to": "+14155550123"}, "body"),
        ({"to": "+14155550123"}, "body"),
        ({"body": "x" * 1601, "to": "+14155550123"}, "body"),
        ({"body": "hi", "to": ["+14155550123"]}, "to"),
        ({"body": "hi", "to": "+14155550123", "not_after": "tomorrow"}, "not_after"),
        ({"body": "hi", "to": "+14155550123", "not_after": "2026-11-21T10:00:00"}, "not_after"),
        ({"body": "hi", "to": "+14155550123", "idempotency_key": "k" * 201}, "idempotency_key"),
    ],
)
async def test_a_wrong_argument_is_named(house: House, arguments: dict[str, Any], field: str) -> None:
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client:
        result = await client.call_tool("comms_send_message", arguments)
    assert result.is_error
    assert result.structured_content is not None
    assert list(result.structured_content["fields"]) == [field]
    assert house.messaging.asked == []


async def test_a_tool_of_another_tier_is_unknown(house: House, era: str) -> None:
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token, mode=era) as client:
        with pytest.raises(MCPError) as other:
            await client.call_tool("comms_create_organization", {"title": "mine"})
        with pytest.raises(MCPError) as none:
            await client.call_tool("comms_no_such_tool", {})
    assert other.value.message == "unknown tool: comms_create_organization"
    assert none.value.code == other.value.code
    assert house.provisioning.asked == []


async def test_a_refusal_says_why_and_what_would_help(house: House, era: str) -> None:
    def refuse(_order: SendMessage) -> SendReply:
        raise Rejected("the cap of 100 texts a day is reached; it ends at 2026-11-22T00:00Z", code="cap_reached")

    house.messaging.on(SendMessage, refuse)
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token, mode=era) as client:
        result = await client.call_tool("comms_send_message", {"to": "+14155550123", "body": "hi"})
    assert result.is_error
    assert "it ends at 2026-11-22T00:00Z" in result.content[0].text  # type: ignore[union-attr]
    assert result.structured_content is not None
    assert result.structured_content["code"] == "cap_reached"


async def test_a_passing_refusal_says_when_to_ask_again(house: House) -> None:
    def refuse(_order: SendMessage) -> SendReply:
        raise Unavailable("the provider is busy", retry_after=7)

    house.messaging.on(SendMessage, refuse)
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client:
        result = await client.call_tool("comms_send_message", {"to": "+14155550123", "body": "hi"})
    assert result.structured_content is not None
    assert result.structured_content["retry_after"] == 7


async def test_a_stranger_s_message_looks_like_none(house: House) -> None:
    """The edge adds nothing to what the owner says of either."""
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token) as client:
        answers = [await client.call_tool("comms_trace", {"message": m}) for m in ("msg_of_another", "msg_of_nobody")]
    assert answers[0].structured_content == answers[1].structured_content
    assert {asked.agent for asked in house.messaging.asked} == {AGENT}


async def test_reading_and_acknowledging_concern_the_caller(house: House, era: str) -> None:
    house.messaging.on(GetMessages, Messages(messages=[a_message()], cursor=1, more=False))
    house.messaging.on(AcknowledgeMessages, Done())
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token, mode=era) as client:
        page = await client.call_tool("comms_get_messages", {"after": 0, "limit": 5})
        done = await client.call_tool("comms_ack_messages", {"messages": ["msg_1"]})
    assert page.structured_content is not None
    assert page.structured_content["messages"][0]["body"] == "hello"
    assert done.structured_content == {"changed": True}
    assert [asked.agent for asked in house.messaging.asked] == [AGENT, AGENT]


async def test_an_organisation_names_the_agent_and_never_the_organisation(house: House) -> None:
    trace = MessageTrace(message="msg_1", direction="out", status="sent", steps=[])
    house.messaging.on(TraceMessage, trace)
    token = await house.token("organisation")
    edge = await house.edge()
    async with edge.mcp(token) as client:
        await client.call_tool("comms_trace", {"message": "msg_1", "agent": "agt_7"})
        await client.call_tool("comms_trace", {"message": "msg_1"})
        refused = await client.call_tool("comms_trace", {"message": "msg_1", "organisation": "org_2"})
    assert [(asked.organisation, asked.agent) for asked in house.messaging.asked] == [
        (ORGANISATION, "agt_7"),
        (ORGANISATION, ""),
    ]
    assert refused.is_error


async def test_an_operator_names_the_organisation(house: House) -> None:
    house.messaging.on(TraceMessage, MessageTrace(message="msg_1", direction="out", status="sent", steps=[]))
    reply = OrganisationReply(organisation="org_3", project="prj_1", token_id="tok_9", token="shown-once")
    house.provisioning.on(CreateOrganisation, reply)
    token = await house.token("operator", organisation="platform")
    edge = await house.edge()
    async with edge.mcp(token) as client:
        made = await client.call_tool("comms_create_organization", {"title": "Acme"})
        await client.call_tool("comms_trace", {"message": "msg_1", "organisation": "org_3"})
        missing = await client.call_tool("comms_trace", {"message": "msg_1"})
        wild = await client.call_tool("comms_trace", {"message": "msg_1", "organisation": "org_3.>"})
    assert made.structured_content is not None
    assert made.structured_content["token"] == "shown-once"
    [order] = house.provisioning.asked
    assert (order.organisation, order.title, order.key_derived) == ("platform", "Acme", True)
    [asked] = house.messaging.asked
    assert asked.organisation == "org_3"
    assert missing.is_error
    assert wild.is_error


async def test_ping_says_who_the_token_is(house: House, era: str) -> None:
    token = await house.token()
    edge = await house.edge()
    async with edge.mcp(token, mode=era) as client:
        pong = await client.call_tool("comms_ping", {})
    assert pong.structured_content is not None
    assert (pong.structured_content["tier"], pong.structured_content["agent"]) == ("agent", AGENT)
