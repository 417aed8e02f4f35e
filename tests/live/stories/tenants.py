"""Another tenant's things are as if they did not exist: every route and tool, made from what the edge offers."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from common.catalogue.provisioning import Tier
from mcp_edge.routes import ROUTES, Route
from mcp_edge.tool import Tool
from mcp_edge.tools import ALL

from tests.live.world import Agent, Speaker, Tenant, World

IDS = ("agent", "message", "messages", "project", "saga", "thread", "token_id")
FILLED: dict[str, Any] = {
    "address": "+14155550111",
    "body": "Is this really mine?",
    "countries": ["US"],
    "evidence": "somebody said so",
    "markup_percent": 1,
    "reason": "just to see",
    "sent": True,
    "stopped": True,
    "title": "Somebody",
    "to": "+14155550111",
    "wait_s": 0,
}


@dataclass(frozen=True)
class Things:
    """Ids of one tenant, by the argument they are for."""

    ids: dict[str, str]

    def given(self, argument: str) -> Any:
        return [self.ids["message"]] if argument == "messages" else self.ids[argument]

    def absent(self) -> Things:
        """Ids of the same shape that nobody has."""
        return Things({name: _like(value) for name, value in self.ids.items()})


@dataclass(frozen=True)
class Probe:
    """One way to name something: `name` is the argument that says whose."""

    tool: Tool
    name: str
    mine: Things

    def arguments(self, named: Things, tier: Tier) -> dict[str, Any]:
        fields = self.tool.offer(tier).model.model_fields
        filled = {name: FILLED[name] for name, field in fields.items() if name in FILLED and field.is_required()}
        needed = {name: self.mine.given(name) for name in fields if name in IDS and fields[name].is_required()}
        if self.tool.waits:
            filled["wait_s"] = 0
        if "to" in fields and self.name != "thread":
            filled["to"] = FILLED["to"]
        return filled | needed | {self.name: named.given(self.name)}


def _like(value: str) -> str:
    head, _, tail = value.rpartition("_")
    return f"{head}_{secrets.token_hex(len(tail) // 2)}" if head else secrets.token_hex(len(tail) // 2)


def probes(tier: Tier, mine: Things) -> Iterator[Probe]:
    """Every argument of every tool of this tier that names something."""
    for tool in ALL.values():
        if tier in tool.tiers:
            fields = tool.offer(tier).model.model_fields
            yield from (Probe(tool, name, mine) for name in fields if name in IDS)


def requests(tier: Tier) -> Iterator[Route]:
    """Every route of this tier whose path names something."""
    return (route for route in ROUTES if tier in ALL[route.tool].tiers and "{" in route.path)


class TestTenants:
    @pytest.mark.parametrize("tier", ["agent", "organisation"])
    async def test_no_tool_tells_another_s_things_from_nothing(
        self, world: World, tenant: Tenant, agent: Agent, tier: Tier
    ) -> None:
        other, theirs = _competition(world)
        before, mine = _state(other, theirs), _mine(world, tenant, agent)
        absent, asked = theirs.absent(), list(probes(tier, mine))
        token = agent.token if tier == "agent" else tenant.token
        async with world.mcp(token, query="?profile=all") as speaker:
            pairs = await asyncio.gather(
                *(
                    _said(speaker, probe.tool.name, probe.arguments(named, tier), named)
                    for probe in asked
                    for named in (theirs, absent)
                )
            )
        for probe, found, nothing in zip(asked, pairs[::2], pairs[1::2], strict=True):
            assert found == nothing, f"{probe.tool.name} {probe.name}"
        assert len(asked) >= 4
        assert _state(other, theirs) == before

    @pytest.mark.parametrize("tier", ["agent", "organisation"])
    async def test_no_route_tells_another_s_things_from_nothing(
        self, world: World, tenant: Tenant, agent: Agent, tier: Tier
    ) -> None:
        other, theirs = _competition(world)
        before, absent, asked = _state(other, theirs), theirs.absent(), list(requests(tier))
        token = agent.token if tier == "agent" else tenant.token
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=world.stack.edges[0], headers=headers, timeout=40) as http:
            pairs = await asyncio.gather(*(_heard(http, route, named) for route in asked for named in (theirs, absent)))
        for route, found, nothing in zip(asked, pairs[::2], pairs[1::2], strict=True):
            assert found == nothing, f"{route.method} {route.path}"
            assert found[0] < 500, f"{route.method} {route.path}: {found}"
        assert len(asked) >= 9
        assert _state(other, theirs) == before

    async def test_an_agent_is_shown_and_given_no_tool_of_those_above(self, world: World, agent: Agent) -> None:
        above = [name for name, tool in ALL.items() if "agent" not in tool.tiers]
        async with agent.mcp(query="?profile=all") as speaker:
            shown = {tool.name for tool in (await speaker.client.list_tools()).tools}
            assert not shown & set(above)
            for name in above:
                with pytest.raises(Exception, match="unknown tool"):
                    await speaker.client.call_tool(name, {})

    async def test_an_agent_is_shown_at_most_twelve_tools(self, agent: Agent, era: str) -> None:
        async with agent.mcp(era) as speaker:
            tools = (await speaker.client.list_tools()).tools
        assert 5 < len(tools) <= 12
        assert all(tool.output_schema and tool.annotations for tool in tools)

    def test_an_unknown_argument_is_refused_by_name(self, agent: Agent, person: str) -> None:
        refusal = agent.refused(person, organisation="org_1")
        assert (refusal.status, refusal.more["fields"]) == (422, {"organisation": "unknown argument"})


def _competition(world: World) -> tuple[Tenant, Things]:
    """Another tenant with one of everything."""
    tenant = world.tenant("The Competition")
    agent = tenant.agent()
    world.text(world.person(), agent.number, "A secret of the competition.")
    [message] = agent.waiting(lease_seconds=1)
    return tenant, _things(tenant, agent, message)


def _things(tenant: Tenant, agent: Agent, message: dict[str, Any]) -> Things:
    return Things(
        {
            "agent": agent.id,
            "message": message["message"],
            "thread": message["thread"],
            "project": tenant.project,
            "saga": agent.saga,
            "token_id": agent.token_id,
        }
    )


def _mine(world: World, tenant: Tenant, agent: Agent) -> Things:
    world.text(world.person(), agent.number, "One text that is our own.")
    [message] = agent.waiting(lease_seconds=1)
    return _things(tenant, agent, message)


async def _said(speaker: Speaker, tool: str, arguments: dict[str, Any], named: Things) -> tuple[bool, str]:
    result = await speaker.client.call_tool(tool, arguments)
    told = json.dumps(result.structured_content) + str(result.content)
    return bool(result.is_error), _without(told, named)


async def _heard(http: httpx.AsyncClient, route: Route, named: Things) -> tuple[int, str]:
    path = route.path.format(**named.ids)
    required = ALL[route.tool].arguments.model_fields
    body = {name: FILLED[name] for name, field in required.items() if name in FILLED and field.is_required()}
    if "messages" in required:
        body["messages"] = named.given("messages")
    if route.tool == "comms_send_message":
        body["to"] = FILLED["to"]
    answer = await http.request(route.method, path, json=body if route.method in ("POST", "PUT") else None)
    return answer.status_code, _without(answer.text, named)


def _without(text: str, named: Things) -> str:
    """The text with every named id as a blank."""
    for name, value in named.ids.items():
        text = text.replace(value, f"<{name}>")
    return text


def _state(tenant: Tenant, theirs: Things) -> list[dict[str, Any]]:
    """What nobody else may have changed."""
    agent = f"/v1/agents/{theirs.ids['agent']}"
    paths = ("/v1/agents", "/v1/tokens", f"{agent}/messages", f"{agent}/limits", "/v1/limits")
    return [tenant.office.ask("GET", path) for path in paths]
