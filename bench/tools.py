"""Tools over MCP by the edge as it is, beside a bare tool of the SDK: a query, and a send up to the owner's answer.

The owner answers at once, so the figures are the edge's and the broker's. Servers, broker and load each are a process
of their own; rounds of all alternate, so that what else the machine does hits them alike; ratios are medians of rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nats
import orjson
from common import streams, tokens

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
    """One tool at one server."""

    name: str
    port: int
    tool: str
    arguments: dict[str, Any]
    goal: float = 0.0


async def run(quick: bool) -> list[Result]:
    """Rounds of the floor, the query and the send, in turn."""
    async with _house() as house:
        text = {"to": "+14155550123", "body": "Your table is ready."}
        cases = [
            Case("floor", house.floor, "bare", text),
            Case("tool comms_get_messages", house.edge, "comms_get_messages", {"after": 0, "limit": 5}, 0.65),
            Case("tool comms_send_message, owner answers at once", house.edge, "comms_send_message", text, 0.5),
        ]
        rounds, seconds = (3, 2.0) if quick else (5, 4.0)
        found: list[list[Outcome]] = [[] for _ in cases]
        for n in range(rounds + 1):
            order = list(zip(cases, found, strict=True))
            for case, outcomes in order[:: 1 if n % 2 else -1]:
                outcomes.append(await house.load(case, seconds))
        return [_result(case, mine[1:], found[0][1:]) for case, mine in zip(cases[1:], found[1:], strict=True)]


def _result(case: Case, ours: list[Outcome], floor: list[Outcome]) -> Result:
    """The first round of each warmed up and is not counted."""
    ratio = statistics.median(_rate(mine) / _rate(theirs) for mine, theirs in zip(ours, floor, strict=True))
    latencies = [latency for one in ours for latency in one.latencies]
    return Result(
        f"{case.name}, {CONNECTIONS} connections",
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
    """The edge with canned owners, and the floor, under one token."""

    folder: Path
    token: str
    edge: int
    floor: int

    async def load(self, case: Case, seconds: float) -> Outcome:
        """One measurement, in a process of its own."""
        count = int(seconds * 6000)
        packed, plan = self.folder / "requests", self.folder / "plan.json"
        packed.write_bytes(b"".join(_packed(self.request(case, n)) for n in range(count)))
        plan.write_bytes(orjson.dumps(asdict(Plan(case.port, str(packed), seconds, CONNECTIONS))))
        command = [sys.executable, "-m", "bench.load", str(plan)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        outcome = Outcome(**orjson.loads(out))
        if outcome.refused or outcome.answered != outcome.sent:
            raise RuntimeError(f"{case.name}: of {outcome.sent} calls {outcome.answered} were answered 2xx")
        return outcome

    def request(self, case: Case, n: int) -> bytes:
        """One call of the modern era, with arguments of its own."""
        fresh = {"after": n} if "after" in case.arguments else {"body": f"{case.arguments['body']} {n}"}
        meta = {
            f"{_META}protocolVersion": _VERSION,
            f"{_META}clientInfo": {"name": "bench", "version": "1"},
            f"{_META}clientCapabilities": {},
        }
        params = {"name": case.tool, "arguments": {**case.arguments, **fresh}, "_meta": meta}
        body = orjson.dumps({"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": params})
        headers = {
            "host": f"127.0.0.1:{case.port}",
            "authorization": f"Bearer {self.token}",
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
async def _house() -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="bench") as name, a_broker(Path(name) / "nats") as broker:
        client = await nats.connect(broker.url)
        await streams.declare(client.jetstream())
        await client.close()
        house = House(Path(name), tokens.new("agent"), free_port(), free_port())
        with contextlib.ExitStack() as stack:
            for program, env in _programs(house, broker):
                stack.enter_context(ending(_started(program, env)))
            await house.answering(Case("floor", house.floor, "bare", {"to": "a", "body": "b"}))
            await house.answering(Case("edge", house.edge, "comms_get_messages", {"after": 0}))
            yield house


def _programs(house: House, broker: Broker) -> list[tuple[list[str], dict[str, str]]]:
    secrets = house.folder / "secrets"
    secrets.mkdir()
    (secrets / "token-pepper.key").write_text(PEPPER.hex())
    settings = {
        "SWITCHBOARD_NATS_AUTH": "false",
        "SWITCHBOARD_NATS_URL": broker.url,
        "SWITCHBOARD_DATA": str(house.folder),
        "SWITCHBOARD_SECRETS": str(secrets),
        "SWITCHBOARD_EDGE_PORT": str(house.edge),
    }
    env = dict(os.environ) | settings
    return [
        ([sys.executable, "-m", "bench.canned", broker.url, house.token], env),
        ([sys.executable, "-m", "mcp_edge"], env),
        ([sys.executable, "-m", "bench.floor_tools", str(house.floor), house.token], env),
    ]
