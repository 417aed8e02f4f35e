"""Tools over MCP by the edge as it is, beside a bare tool of the SDK: a query, and a send up to its acceptance.

First with owners that answer at once, so that the figures are the edge's and the broker's (the query's answer is a page
of one message), then the send with the real owners of a whole house. Servers, broker and load each are a process of
their own; rounds of all alternate, so that what else the machine does hits them alike; ratios are medians of rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nats
import orjson
from common import streams, tokens

from bench import delivery
from bench.canned import PEPPER
from bench.load import Outcome, Plan
from bench.results import Result, at_least, percentile
from tests.gateway.standing import ending
from tests.support.servers import Broker, a_broker, free_port

CONNECTIONS = 16
_VERSION = "2026-07-28"
_META = "io.modelcontextprotocol/"


@dataclass(frozen=True)
class Case:
    """One tool at one server, called by the holders of these tokens in turn."""

    name: str
    port: int
    tool: str
    arguments: dict[str, Any]
    tokens: Sequence[str]
    goal: float = 0.0


_TEXT = {"to": "+14155550123", "body": "Your table is ready."}
_PAGE = {"after": 0, "limit": 5}


async def run(quick: bool) -> list[Result]:
    """The edge alone, then the whole house."""
    return [*await _edge(quick), *await _whole_house(quick)]


async def _edge(quick: bool) -> list[Result]:
    async with _canned() as (house, token):
        return await _rounds(
            house,
            Case("floor", house.floor, "bare", _TEXT, [token]),
            Case("query tool", house.edge, "comms_get_messages", _PAGE, [token], 0.65),
            Case("send tool, owner at once", house.edge, "comms_send_message", _TEXT, [token], 0.5),
            quick=quick,
        )


async def _whole_house(quick: bool) -> list[Result]:
    async with delivery.a_house() as real, contextlib.AsyncExitStack() as stack:
        house = House(real.stack.folder, real.edge, free_port())
        agents = [agent.token for agent in real.agents[: delivery.SENDERS]]
        stack.enter_context(ending(_started(_floor(house, agents[0]), dict(os.environ))))
        floor = Case("floor", house.floor, "bare", _TEXT, agents[:1])
        await house.answering(floor)
        return await _rounds(
            house,
            floor,
            Case("send tool, accepted", house.edge, "comms_send_message", _TEXT, agents, 0.5),
            quick=quick,
            seconds=1.0,
            settle=real.drained,
        )


async def _nothing() -> None:
    """What is asked leaves nothing to be done."""


async def _rounds(
    house: House,
    *cases: Case,
    quick: bool,
    seconds: float = 0.0,
    settle: Callable[[], Awaitable[None]] = _nothing,
) -> list[Result]:
    """Rounds of the floor, which comes first, and the others in turn. What one leaves to be done, no other meets."""
    rounds, usual = (3, 2.0) if quick else (5, 4.0)
    found: list[list[Outcome]] = [[] for _ in cases]
    for n in range(rounds + 1):
        order = list(zip(cases, found, strict=True))
        for case, outcomes in order[:: 1 if n % 2 else -1]:
            outcomes.append(await house.load(case, seconds or usual))
            await settle()
    return [_result(case, mine[1:], found[0][1:]) for case, mine in zip(cases[1:], found[1:], strict=True)]


def _result(case: Case, ours: list[Outcome], floor: list[Outcome]) -> Result:
    """The first round of each warmed up and is not counted."""
    ratio = statistics.median(_rate(mine) / _rate(theirs) for mine, theirs in zip(ours, floor, strict=True))
    latencies = [latency for one in ours for latency in one.latencies]
    return Result(
        case.name,
        "calls/s",
        statistics.median(map(_rate, ours)),
        percentile(latencies, 0.5) * 1e3,
        percentile(latencies, 0.99) * 1e3,
        statistics.median(map(_rate, floor)),
        ratio,
        *at_least(ratio, case.goal),
    )


@dataclass
class House:
    """An edge and the floor."""

    folder: Path
    edge: int
    floor: int

    async def load(self, case: Case, seconds: float) -> Outcome:
        """One measurement, in a process of its own."""
        count, name = int(seconds * 6000), secrets.token_hex(4)
        packed, plan = self.folder / "requests", self.folder / "plan.json"
        packed.write_bytes(b"".join(_packed(self.request(case, n, name)) for n in range(count)))
        plan.write_bytes(orjson.dumps(asdict(Plan(case.port, str(packed), seconds, CONNECTIONS))))
        command = [sys.executable, "-m", "bench.load", str(plan)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        outcome = Outcome(**orjson.loads(out))
        if outcome.refused or outcome.answered != outcome.sent:
            raise RuntimeError(f"{case.name}: of {outcome.sent} calls {outcome.answered} were answered 2xx")
        return outcome

    def request(self, case: Case, n: int, name: str = "") -> bytes:
        """One call of the modern era, with arguments of its own: the same words twice would be one text."""
        fresh = {"after": n} if "after" in case.arguments else {"body": f"{case.arguments['body']} {name} {n}"}
        meta = {
            f"{_META}protocolVersion": _VERSION,
            f"{_META}clientInfo": {"name": "bench", "version": "1"},
            f"{_META}clientCapabilities": {},
        }
        params = {"name": case.tool, "arguments": {**case.arguments, **fresh}, "_meta": meta}
        body = orjson.dumps({"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": params})
        headers = {
            "host": f"127.0.0.1:{case.port}",
            "authorization": f"Bearer {case.tokens[n % len(case.tokens)]}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": _VERSION,
            "mcp-method": "tools/call",
            "mcp-name": case.tool,
            "content-length": str(len(body)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body

    async def answering(self, case: Case) -> None:
        """Wait until a call succeeds: not only 2xx, but a result that is no refusal."""
        async with asyncio.timeout(30):
            while not await self._answered(case):  # noqa: ASYNC110 - another process; nothing to wait on
                await asyncio.sleep(0.05)

    async def _answered(self, case: Case) -> bool:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", case.port)
            writer.write(self.request(case, 0).replace(b"host:", b"connection: close\r\nhost:", 1))
            answer = await reader.read()
            writer.close()
            return b" 200 " in answer[:20] and b'"isError":true' not in answer
        return False


def _started(program: list[str], env: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(program, env=env, stderr=subprocess.DEVNULL)


def _packed(raw: bytes) -> bytes:
    return len(raw).to_bytes(4, "big") + raw


def _rate(outcome: Outcome) -> float:
    return outcome.answered / outcome.seconds


@contextlib.asynccontextmanager
async def _canned() -> AsyncIterator[tuple[House, str]]:
    """The edge with owners that answer at once, and the token of its one agent."""
    with tempfile.TemporaryDirectory(prefix="bench") as name, a_broker(Path(name) / "nats") as broker:
        client = await nats.connect(broker.url)
        await streams.declare(client.jetstream())
        await client.close()
        house, token = House(Path(name), free_port(), free_port()), tokens.new("agent")
        with contextlib.ExitStack() as stack:
            for program, env in _programs(house, broker, token):
                stack.enter_context(ending(_started(program, env)))
            await house.answering(Case("floor", house.floor, "bare", _TEXT, [token]))
            await house.answering(Case("edge", house.edge, "comms_get_messages", _PAGE, [token]))
            yield house, token


def _programs(house: House, broker: Broker, token: str) -> list[tuple[list[str], dict[str, str]]]:
    keys = house.folder / "secrets"
    keys.mkdir()
    (keys / "token-pepper.key").write_text(PEPPER.hex())
    settings = {
        "SWITCHBOARD_NATS_AUTH": "false",
        "SWITCHBOARD_NATS_URL": broker.url,
        "SWITCHBOARD_DATA": str(house.folder),
        "SWITCHBOARD_SECRETS": str(keys),
        "SWITCHBOARD_EDGE_PORT": str(house.edge),
    }
    env = dict(os.environ) | settings
    return [
        ([sys.executable, "-m", "bench.canned", broker.url, token], env),
        ([sys.executable, "-m", "mcp_edge"], env),
        (_floor(house, token), env),
    ]


def _floor(house: House, token: str) -> list[str]:
    return [sys.executable, "-m", "bench.floor_tools", str(house.floor), token]
