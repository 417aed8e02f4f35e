"""Texts in both directions while something dies: people text by the carrier, agents send as careful clients do."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.stack import Stack

PATIENCE = 60.0
"""Seconds a client asks again, with the same key, before it gives up."""


@dataclass
class Agent:
    """A provisioned agent with a number, and its token."""

    organisation: str
    organisation_token: str
    agent: str
    number: str
    token: str


def an_agent(stack: Stack, **limits: int) -> Agent:
    """A fresh tenant with one agent and room for any traffic."""
    with stack.operator() as operator:
        key = {"Idempotency-Key": secrets.token_hex(8)}
        tenant = operator.post("/v1/organizations", json={"title": "Faults"}, headers=key).raise_for_status().json()
        generous = {"money_per_day": 10**9, "messages_per_day": 10**6, "rate_per_minute": 10**6} | limits
        caps = operator.put("/v1/limits", json=generous | {"organisation": tenant["organisation"]})
        caps.raise_for_status()
    headers = {"Authorization": f"Bearer {tenant['token']}"}
    with httpx.Client(base_url=stack.edges[0], headers=headers, timeout=30, trust_env=False) as http:
        made = http.post("/v1/agents", json={"title": "Agent"}).raise_for_status().json()
        assert made["state"] == "active", made
        http.put(f"/v1/agents/{made['agent']}/limits", json=generous).raise_for_status()
    address = made["channels"][0]["address"]
    return Agent(tenant["organisation"], tenant["token"], made["agent"], address, made["token"])


@dataclass
class Sender:
    """Sends as an agent: one key per intent, asked again until there is an answer."""

    edges: list[str]
    agent: Agent
    http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(trust_env=False, timeout=15))
    accepted: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    _answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, to: str, body: str) -> None:
        """One intent. A refusal is final; no answer is not."""
        key = f"key-{body}"
        edges = itertools.cycle(self.edges)
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            answer = await self._ask(next(edges), to, body, key)
            if answer is not None and answer.status_code < 500:
                break
            assert asyncio.get_running_loop().time() < deadline, f"no answer for {body}: {answer and answer.text}"
            await asyncio.sleep(0.1)
        if answer.is_success:
            self.accepted[body] = answer.json()["message"]
        else:
            self.refused[body] = answer.text
        self._answered.set()

    async def half_way(self, count: int) -> None:
        """Return when half of `count` texts have an answer."""
        async with asyncio.timeout(PATIENCE):
            while len(self.accepted) + len(self.refused) < count // 2:
                self._answered.clear()
                await self._answered.wait()

    async def _ask(self, edge: str, to: str, body: str, key: str) -> httpx.Response | None:
        headers = {"Authorization": f"Bearer {self.agent.token}", "Idempotency-Key": key}
        url = f"{edge}/v1/agents/me/messages"
        try:
            return await self.http.post(url, json={"to": to, "body": body}, headers=headers)
        except httpx.HTTPError:
            return None


async def send_many(sender: Sender, count: int, *, at_once: int = 4, to: str = "") -> None:
    """`count` texts out, `at_once` at a time, to one or to ten people, each with a body of its own."""
    run = secrets.token_hex(3)
    numbers = iter(range(count))

    async def work() -> None:
        for n in numbers:
            await sender.send(to or person(n % 10), f"out {run} {n}")

    async with sender.http, asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(work())


async def receive_many(stack: Stack, agent: Agent, count: int, rate: float) -> dict[str, Any]:
    """`count` texts in at `rate` a second; returns when the carrier knows the outcome of each webhook."""
    headers = {"Authorization": f"Bearer {stack.carrier_token}"}
    order = {"to": [agent.number], "count": count, "rate": rate, "people": 10, "body": "in {burst} {i}"}
    async with httpx.AsyncClient(base_url=f"{stack.carrier}/control", headers=headers, trust_env=False) as http:
        burst = (await http.post("/bursts", json=order)).raise_for_status().json()
        async with asyncio.timeout(90):
            while sum(burst["outcomes"].values()) < count:
                await asyncio.sleep(0.1)
                burst = (await http.get(f"/bursts/{burst['id']}")).raise_for_status().json()
    return dict(burst)


def person(n: int) -> str:
    """Somebody whose number is never sold."""
    return f"+1415555{2000 + n:04d}"
