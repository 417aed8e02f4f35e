"""The same orders and queries as REST: what is asked, and how each kind of bad input is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from common.catalogue.billing import Limits, SetLimits
from common.catalogue.messages import (
    AcknowledgeMessages,
    GetMessages,
    Messages,
    SendMessage,
    SendReply,
    SetKillSwitch,
)
from common.catalogue.provisioning import (
    ChannelsReply,
    ChannelStatusList,
    GetChannelStatus,
    IssuedToken,
    IssueToken,
    ProvisionChannels,
)
from common.catalogue.values import Done, Money
from common.errors import Conflict, NotFound, Unavailable, Unknown
from mcp_edge.routes import ROUTES

from tests.mcp_edge.house import AGENT, ORGANISATION, House

ACCEPTED = SendReply(message="msg_9", thread="thr_1", status="accepted", segments=1, held=Money(micros=8300))
TEXT = {"to": "+14155550123", "body": "hi"}


async def test_an_agent_sends_as_me_with_its_key_in_a_header(house: House) -> None:
    house.messaging.on(SendMessage, ACCEPTED)
    token = await house.token()
    edge = await house.edge()
    async with edge.rest(token) as client:
        answer = await client.post("/v1/agents/me/messages", json=TEXT, headers={"Idempotency-Key": "k1"})
    assert answer.status_code == 202
    assert answer.json()["message"] == "msg_9"
    [order] = house.messaging.asked
    assert (order.organisation, order.agent, order.key, order.key_derived) == (ORGANISATION, AGENT, "k1", False)


async def test_a_tool_and_a_route_mean_the_same_intent(house: House) -> None:
    house.messaging.on(SendMessage, ACCEPTED)
    token = await house.token()
    edge = await house.edge()
    async with edge.rest(token) as client:
        await client.post("/v1/agents/me/messages", json=TEXT)
    async with edge.mcp(token) as agent:
        await agent.call_tool("comms_send_message", TEXT)
    first, second = house.messaging.asked
    assert first.key == second.key


async def test_an_agent_finds_no_other_agent(house: House) -> None:
    token = await house.token()
    edge = await house.edge()
    async with edge.rest(token) as client:
        other = await client.get("/v1/agents/agt_2/messages")
        none = await client.get("/v1/agents/agt_nobody/messages")
        forbidden = await client.post("/v1/agents", json={"title": "twin"})
    assert (other.status_code, none.status_code, forbidden.status_code) == (404, 404, 403)
    assert other.json()["code"] == none.json()["code"]
    assert house.messaging.asked == house.provisioning.asked == []


async def test_an_organisation_provisions_and_looks(house: House) -> None:
    house.provisioning.on(ProvisionChannels, ChannelsReply(saga="sag_1", agent="agt_5", state="active", token="once"))
    house.provisioning.on(GetChannelStatus, ChannelStatusList(agents=[]))
    token = await house.token("organisation")
    edge = await house.edge()
    async with edge.rest(token) as client:
        made = await client.post("/v1/agents", json={"title": "Concierge", "country": "US"})
        listed = await client.get("/v1/agents")
        missing = await client.get("/v1/agents/agt_none")
        me = await client.get("/v1/agents/me")
    assert (made.status_code, made.json()["token"]) == (201, "once")
    assert (listed.status_code, listed.json()) == (200, {"agents": []})
    assert (missing.status_code, me.status_code) == (404, 404)
    assert house.provisioning.asked[0].key_derived


async def test_an_operator_names_the_organisation_in_the_query(house: House) -> None:
    house.messaging.on(SetKillSwitch, Done())
    token = await house.token("operator", organisation="platform")
    edge = await house.edge()
    stop = {"stopped": True, "reason": "fraud"}
    async with edge.rest(token) as client:
        done = await client.put("/v1/kill-switch", params={"organisation": "org_3"}, json=stop)
        one = await client.put("/v1/agents/agt_1/kill-switch", params={"organisation": "org_3"}, json=stop)
        unnamed = await client.put("/v1/kill-switch", json=stop)
    assert (done.status_code, one.status_code, unnamed.status_code) == (200, 200, 422)
    assert [(o.organisation, o.agent) for o in house.messaging.asked] == [("org_3", ""), ("org_3", "agt_1")]


async def test_limits_are_set_whole_and_flat(house: House) -> None:
    house.owners["billing"].on(SetLimits, Done())
    token = await house.token("organisation")
    edge = await house.edge()
    async with edge.rest(token) as client:
        done = await client.put("/v1/agents/agt_1/limits", json={"messages_per_day": 100})
        typo = await client.put("/v1/agents/agt_1/limits", json={"messages_perday": 100})
    assert (done.status_code, typo.status_code) == (200, 422)
    [order] = house.owners["billing"].asked
    assert (order.agent, order.limits) == ("agt_1", Limits(messages_per_day=100))


async def test_a_token_is_for_the_agent_that_is_named_else_for_the_organisation(house: House) -> None:
    house.provisioning.on(IssueToken, IssuedToken(token_id="tok_5", token="once"))
    token = await house.token("organisation")
    edge = await house.edge()
    async with edge.rest(token) as client:
        await client.post("/v1/agents/agt_1/tokens", json={})
        await client.post("/v1/tokens", json={"expires_in": 60})
        above = await client.post("/v1/tokens", json={"tier": "operator"})
    assert above.status_code == 422
    assert [(o.tier, o.agent) for o in house.provisioning.asked] == [("agent", "agt_1"), ("organisation", "")]


async def test_a_key_is_passed_on_where_it_means_something_and_harmless_elsewhere(house: House) -> None:
    house.provisioning.on(IssueToken, IssuedToken(token_id="tok_5", token="once"))
    house.messaging.on(AcknowledgeMessages, Done())
    token = await house.token("organisation")
    edge = await house.edge()
    async with edge.rest(token, **{"idempotency-key": "k1"}) as client:
        issued = await client.post("/v1/agents/agt_1/tokens", json={})
        done = await client.post("/v1/agents/agt_1/inbox/ack", json={"messages": ["msg_1"]})
    async with edge.rest(token) as client:
        await client.post("/v1/agents/agt_1/tokens", json={})
    assert (issued.status_code, done.status_code) == (201, 200)
    assert [(order.key, order.key_derived) for order in house.provisioning.asked] == [("k1", False), ("", False)]


async def test_a_query_is_read_as_its_types(house: House) -> None:
    house.messaging.on(GetMessages, Messages(messages=[], cursor=7, more=False))
    token = await house.token()
    edge = await house.edge()
    async with edge.rest(token) as client:
        page = await client.get("/v1/agents/me/messages", params={"after": "7", "limit": "3"})
        wrong = await client.get("/v1/agents/me/messages", params={"after": "soon"})
        unknown = await client.get("/v1/agents/me/messages", params={"agent": "agt_2"})
    assert (page.status_code, wrong.status_code, unknown.status_code) == (200, 422, 422)
    [asked] = house.messaging.asked
    assert (asked.after, asked.limit) == (7, 3)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{not json", 400, "invalid"),
        (b'{"body": "\xff\xfe"}', 400, "invalid"),
        (b"[1, 2]", 400, "invalid"),
        (b'{"to": "+14155550123"}', 422, "bad_arguments"),
        (b'{"to": "+14155550123", "body": 5}', 422, "bad_arguments"),
        (b'{"to": "+14155550123", "body": "h\\u0000i"}', 422, "bad_arguments"),
        (b'{"to": "+14155550123", "body": "hi", "agent": "agt_2"}', 422, "bad_arguments"),
        (b'{"to": "+14155550123", "body": "hi", "price": 0}', 422, "bad_arguments"),
        (b'{"body": "' + b"x" * 70_000 + b'"}', 413, "too_large"),
    ],
)
async def test_a_bad_body_is_a_problem_and_asks_nothing(house: House, body: bytes, status: int, code: str) -> None:
    token = await house.token()
    edge = await house.edge()
    async with edge.rest(token) as client:
        answer = await client.post("/v1/agents/me/messages", content=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert house.messaging.asked == []


async def test_a_body_without_a_length_is_cut_off_at_the_limit(house: House) -> None:
    token = await house.token()
    edge = await house.edge()

    async def endless() -> Any:
        for _ in range(200):
            yield b"x" * 1024

    async with edge.rest(token) as client:
        for path in ("/v1/agents/me/messages", "/mcp"):
            assert (await client.post(path, content=endless())).status_code == 413


async def test_the_wrong_field_is_named(house: House) -> None:
    token = await house.token()
    edge = await house.edge()
    async with edge.rest(token) as client:
        problem = (await client.post("/v1/agents/me/messages", json={"to": "+14155550123", "bodi": "hi"})).json()
    assert problem["fields"] == {"bodi": "unknown argument", "body": "missing"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("no such message", code="no_message"), 404),
        (Conflict("this key was used with other arguments", code="key_reused"), 409),
        (Unavailable("busy", retry_after=3), 503),
        (Unknown("sent without an answer"), 502),
    ],
)
async def test_an_owner_s_refusal_keeps_its_meaning(house: House, error: Exception, status: int) -> None:
    def refuse(_order: SendMessage) -> SendReply:
        raise error

    house.messaging.on(SendMessage, refuse)
    token = await house.token()
    edge = await house.edge()
    async with edge.rest(token) as client:
        answer = await client.post("/v1/agents/me/messages", json=TEXT)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == ("3" if status == 503 else None)


async def test_what_is_not_there_is_a_problem_too(house: House) -> None:
    token = await house.token()
    edge = await house.edge()
    async with edge.rest(token) as client:
        nothing, method = await client.get("/v1/nothing"), await client.delete("/v1/me")
    assert (nothing.status_code, method.status_code) == (404, 405)
    assert (nothing.json()["code"], method.json()["code"]) == ("not_found", "method_not_allowed")


async def test_every_route_is_documented_with_its_inputs_and_refusals(house: House) -> None:
    edge = await house.edge(ready=False)
    async with edge.rest() as client:
        document = (await client.get("/v1/openapi.json")).json()
    for route in ROUTES:
        operation = document["paths"][route.path][route.method.lower()]
        assert operation["summary"]
        assert "default" in operation["responses"]
    send = document["paths"]["/v1/agents/{agent}/messages"]["post"]
    assert set(send["requestBody"]["content"]["application/json"]["schema"]["properties"]) == {
        "to",
        "thread",
        "body",
        "not_after",
    }
    assert {parameter["name"] for parameter in send["parameters"]} == {"agent", "organisation", "Idempotency-Key"}
    names = {operation["operationId"] for path in document["paths"].values() for operation in path.values()}
    assert len(names) == len(ROUTES)
    assert "$defs" not in json.dumps(document)
