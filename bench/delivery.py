"""The whole house: a signed webhook until an agent's long poll has it, and a tool until the outcome is committed.

One process of each service with SQLite, the local phone company as provider, load in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from bench.agents import One, Plan
from bench.results import Result, percentile
from tests.support.stack import Stack, a_stack

RATE = 200.0
AGENTS = 40
SENDERS = 16
OUT_RATE = 40.0
P50, P99 = 15.0, 100.0

_NO_LIMITS = {
    "SWITCHBOARD_BILLING_AGENT_RATE": "1000000",
    "SWITCHBOARD_BILLING_ORGANISATION_RATE": "1000000",
    "SWITCHBOARD_BILLING_MONEY_PER_DAY": "1000000000000",
    "CARRIER_STATUS_STEP_MS": "0",
}


async def run(quick: bool) -> list[Result]:
    """Texts in at a fixed rate, then texts out: at a fixed rate, and as fast as they go."""
    async with a_house() as house:
        return [
            *await _in(house, rounds=1 if quick else 3, seconds=4 if quick else 8),
            *await _out(house, seconds=3 if quick else 6),
        ]


@dataclass
class House:
    """A running stack with agents that have numbers."""

    stack: Stack
    http: httpx.AsyncClient
    account: dict[str, str]
    agents: list[One]

    @property
    def edge(self) -> int:
        """The port of tools."""
        return _port(self.stack.edges[0])

    async def play(self, seconds: float, *, rate: float = 0.0, sends: bool = False) -> dict[str, Any]:
        """One measurement."""
        plan = Plan(
            edge=self.edge,
            gateway=_port(self.stack.gateways[0]),
            public_url=self.stack.run["public_url"],
            account=self.account["account_sid"],
            auth_token=self.account["auth_token"],
            agents=self.agents[:SENDERS] if sends else self.agents,
            seconds=seconds,
            rate=rate,
            sends=sends,
        )
        file = self.stack.folder / "plan.json"
        file.write_bytes(orjson.dumps(plan))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.agents", str(file), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError("the agents gave up; their complaint is above")
        seen: dict[str, Any] = orjson.loads(out)
        return seen

    async def drained(self) -> None:
        """Return when every accepted text has left, as messaging's table says."""
        async with asyncio.timeout(300):
            while self._leaving():  # noqa: ASYNC110 - another process; nothing to wait on
                await asyncio.sleep(0.05)

    def _leaving(self) -> int:
        db = sqlite3.connect(f"file:{self.stack.folder / 'messaging.db'}?mode=ro", uri=True)
        try:
            count: int = db.execute("SELECT count(*) FROM operations WHERE due_at IS NOT NULL").fetchone()[0]
        finally:
            db.close()
        return count

    async def trace(self, agent: One, message: str) -> list[tuple[str, datetime]]:
        """What happened to a text, and when."""
        headers = {"Authorization": f"Bearer {agent.token}"}
        answer = await self.http.get(f"/v1/agents/me/messages/{message}/trace", headers=headers)
        answer.raise_for_status()
        return [(step["what"], datetime.fromisoformat(step["at"])) for step in answer.json()["steps"]]


def _port(url: str) -> int:
    return urlsplit(url).port or 80


async def _in(house: House, *, rounds: int, seconds: float) -> list[Result]:
    """The first round makes contacts and warms up; the others count."""
    read, posted = [], []
    for n in range(rounds + 1):
        seen = await house.play(seconds, rate=RATE)
        if len(seen["latencies"]) != seen["asked"] or seen["twice"]:
            raise RuntimeError(f"of {seen['asked']} texts {len(seen['latencies'])} were read, {seen['twice']} twice")
        if n:
            read.append(seen["latencies"])
            posted.append(seen["webhooks"])
    half, tail = _median(read, 0.5), _median(read, 0.99)
    goal, passed = f"p50 ≤ {P50:g} ms, p99 ≤ {P99:g} ms", half <= P50 and tail <= P99
    return [
        Result("webhook → 2xx", "texts/s", RATE, _median(posted, 0.5), _median(posted, 0.99)),
        Result("webhook → agent's long poll", "texts/s", RATE, half, tail, goal=goal, passed=passed),
    ]


def _median(rounds: list[list[float]], share: float) -> float:
    """The median round's percentile, in milliseconds."""
    return statistics.median(percentile(one, share) for one in rounds) * 1e3


async def _out(house: House, *, seconds: float) -> list[Result]:
    """At a rate below what it can: up to acceptance as the agents see it, from there to the outcome by the trace.

    Then as fast as texts are accepted, until the last outcome is committed.
    """
    seen = await house.play(seconds, rate=OUT_RATE, sends=True)
    gate = asyncio.Semaphore(SENDERS)

    async def times(agent: int, message: str) -> tuple[datetime, datetime]:
        async with gate:
            return await _committed(house, house.agents[agent], message)

    pairs = await asyncio.gather(*(times(agent, message) for agent, message in seen["messages"]))
    delays, waits = [(sent - accepted).total_seconds() for accepted, sent in pairs], [seen["latencies"]]
    await house.drained()
    started = time.perf_counter()
    burst = await house.play(seconds / 4, sends=True)
    await house.drained()
    rate = burst["asked"] / (time.perf_counter() - started)
    return [
        Result("send tool → accepted", "texts/s", OUT_RATE, _median(waits, 0.5), _median(waits, 0.99)),
        Result("accepted → outcome committed", "texts/s", OUT_RATE, _median([delays], 0.5), _median([delays], 0.99)),
        Result("the whole way out, as fast as it goes", "texts/s", rate),
    ]


async def _committed(house: House, agent: One, message: str) -> tuple[datetime, datetime]:
    async with asyncio.timeout(120):
        while True:
            at = dict(await house.trace(agent, message))
            if "sent" in at:
                return at["accepted"], at["sent"]
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def a_house() -> AsyncIterator[House]:
    """A house without limits and its agents, each with a number."""
    with tempfile.TemporaryDirectory(prefix="bench") as name, a_stack(Path(name), env=_NO_LIMITS) as stack:
        account = json.loads((stack.secrets / "twilio.json").read_text())
        async with httpx.AsyncClient(base_url=stack.edges[0], timeout=30, trust_env=False) as http:
            agents = await _agents(stack, http)
            yield House(stack, http, account, agents)


async def _agents(stack: Stack, http: httpx.AsyncClient) -> list[One]:
    """Agents of one organisation, each with a number, by the same way as everybody's."""
    made = await _asked(http, stack.operator_token, "/v1/organizations", title="Bench")
    agents = [await _asked(http, made["token"], "/v1/agents", title=f"Agent {n}") for n in range(AGENTS)]
    with stack.control() as control:
        accounts = control.get("/inventory").json()["accounts"]
    urls = {one["phone_number"]: one["settings"].get("sms_url", "") for each in accounts for one in each["numbers"]}
    numbers = [agent["channels"][0]["address"] for agent in agents]
    return [
        One(agent["token"], number, urlsplit(urls[number]).path) for agent, number in zip(agents, numbers, strict=True)
    ]


async def _asked(http: httpx.AsyncClient, token: str, path: str, **body: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": secrets.token_hex(8)}
    answer = await http.post(path, json=body, headers=headers)
    answer.raise_for_status()
    content: dict[str, Any] = answer.json()
    return content
