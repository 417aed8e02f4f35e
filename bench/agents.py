"""Agents at a running house, in a process of their own: they wait for signed texts, or send some of theirs.

`python -m bench.agents plan.json` reads a plan, prints one JSON line. Texts leave on a schedule, and their time counts
from the scheduled moment until an agent has read them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import hmac
import secrets
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import uvloop

VERSION = "2026-07-28"
_META = {
    f"io.modelcontextprotocol/{name}": value
    for name, value in {
        "protocolVersion": VERSION,
        "clientInfo": {"name": "bench", "version": "1"},
        "clientCapabilities": {},
    }.items()
}
_PEOPLE = 5
"""How many people text each agent in turn."""


@dataclass
class One:
    """An agent: its token, its number, and the path of its number's webhook."""

    token: str
    number: str
    path: str


@dataclass
class Plan:
    """Who takes part, where, how fast and for how long. `sends` has the agents send instead of wait."""

    edge: int
    gateway: int
    public_url: str
    account: str
    auth_token: str
    agents: list[One]
    seconds: float
    rate: float = 0.0
    sends: bool = False


@dataclass
class Seen:
    """What came of it. Latencies are in seconds."""

    asked: int = 0
    latencies: list[float] = field(default_factory=list)
    webhooks: list[float] = field(default_factory=list)
    messages: list[tuple[int, str]] = field(default_factory=list)
    """Which agent sent which message."""
    seconds: float = 0.0
    twice: int = 0


class Line:
    """One keep-alive connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Line:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, head: str, body: bytes) -> tuple[int, bytes]:
        """Status and body, whether it came whole or as a stream."""
        self._writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        answer = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if b"transfer-encoding: chunked" in answer:
            return int(answer[9:12]), await self._chunks()
        at = answer.find(b"content-length: ")
        size = int(answer[at + 16 : answer.find(b"\r\n", at)]) if at >= 0 else 0
        return int(answer[9:12]), await self._reader.readexactly(size)

    async def _chunks(self) -> bytes:
        whole = b""
        while size := int(await self._reader.readline(), 16):
            whole += (await self._reader.readexactly(size + 2))[:size]
        await self._reader.readline()
        return whole

    def close(self) -> None:
        self._writer.close()


def tool(port: int, token: str, name: str, arguments: dict[str, Any]) -> tuple[str, bytes]:
    """A call of a tool, in the protocol's modern revision."""
    params = {"name": name, "arguments": arguments, "_meta": _META}
    head = (
        f"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}\r\n"
        "content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
        f"mcp-protocol-version: {VERSION}\r\nmcp-method: tools/call\r\nmcp-name: {name}\r\n"
    )
    return head, orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def result(answer: tuple[int, bytes]) -> dict[str, Any]:
    """The structured content of a call that succeeded."""
    status, body = answer
    if body.startswith(b"{"):
        said = orjson.loads(body)
    else:
        lines = [line for line in body.splitlines() if line.startswith(b"data:") and len(line) > 6]
        said = orjson.loads(lines[-1][5:])
    if status != 200 or "error" in said or said["result"].get("isError"):
        raise RuntimeError(f"a tool refused: {status} {body[:500]!r}")
    content: dict[str, Any] = said["result"]["structuredContent"]
    return content


class Run:
    """One measurement."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self.seen = plan, Seen()
        self._due: dict[str, float] = {}
        self._all_read = asyncio.Event()
        self._all_posted = False
        self._last: dict[str, list[str]] = {}

    async def run(self) -> Seen:
        return await (self._send() if self._plan.sends else self._deliver())

    # texts in

    async def _deliver(self) -> Seen:
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(self._read(agent)) for agent in self._plan.agents]
            await asyncio.sleep(1)  # until every long poll is open
            await self._post_all()
            async with asyncio.timeout(60):
                await self._all_read.wait()
            for reader in readers:
                reader.cancel()
        await asyncio.gather(*map(self._leave, self._plan.agents))
        return self.seen

    async def _leave(self, agent: One) -> None:
        """Acknowledge the last, so that nothing is held when the next measurement begins."""
        if read := self._last.get(agent.token):
            await self._call(await Line.to(self._plan.edge), agent, "comms_ack_messages", {"messages": read})

    async def _read(self, agent: One) -> None:
        """Wait, read, acknowledge with the next wait."""
        line = await Line.to(self._plan.edge)
        read: list[str] = []
        while True:
            asked = {"wait_s": 30, "limit": 50, "acknowledge": read}
            page = await self._call(line, agent, "comms_get_waiting_messages", asked)
            now = time.perf_counter()
            for message in page["messages"]:
                self._was_read(message["body"], now)
            read = self._last[agent.token] = [message["message"] for message in page["messages"]]

    async def _call(self, line: Line, agent: One, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return result(await line.ask(*tool(self._plan.edge, agent.token, name, arguments)))

    def _was_read(self, body: str, now: float) -> None:
        due = self._due.pop(body, None)
        if due is None:
            self.seen.twice += 1
            return
        self.seen.latencies.append(now - due)
        self._maybe_all_read()

    def _maybe_all_read(self) -> None:
        if self._all_posted and not self._due:
            self._all_read.set()

    async def _post_all(self) -> None:
        lines: list[Line] = [await Line.to(self._plan.gateway) for _ in range(32)]
        posting: set[asyncio.Task[None]] = set()
        start, count = time.perf_counter() + 0.05, int(self._plan.seconds * self._plan.rate)
        for n in range(count):
            head, body, text = self._webhook(n)
            due = start + n / self._plan.rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            self._due[text] = due
            task = asyncio.create_task(self._post(lines, head, body, due))
            posting.add(task)
            task.add_done_callback(posting.discard)
        self.seen.asked = count
        await asyncio.gather(*posting)
        self.seen.seconds = time.perf_counter() - start
        self._all_posted = True
        self._maybe_all_read()

    async def _post(self, lines: list[Line], head: str, body: bytes, due: float) -> None:
        line = lines.pop() if lines else await Line.to(self._plan.gateway)
        status, said = await line.ask(head, body)
        lines.append(line)
        if status // 100 != 2:
            raise RuntimeError(f"the gateway refused: {status} {said[:300]!r}")
        self.seen.webhooks.append(time.perf_counter() - due)

    def _webhook(self, n: int) -> tuple[str, bytes, str]:
        """A signed text, as the provider posts it, and what it says."""
        plan = self._plan
        agent = plan.agents[n % len(plan.agents)]
        person = n // len(plan.agents) % _PEOPLE
        text = f"Text {n} of {secrets.token_hex(4)}: is there a table for two at eight?"
        form = {
            "MessageSid": f"SM{secrets.token_hex(16)}",
            "AccountSid": plan.account,
            "From": f"+1{201 + person}555{n % len(plan.agents):04d}",
            "To": agent.number,
            "Body": text,
            "NumMedia": "0",
            "NumSegments": "1",
        }
        signed = plan.public_url + agent.path + "".join(name + form[name] for name in sorted(form))
        digest = hmac.digest(plan.auth_token.encode(), signed.encode(), "sha1")
        head = (
            f"POST {agent.path} HTTP/1.1\r\nhost: hooks\r\nx-twilio-signature: {base64.b64encode(digest).decode()}\r\n"
            "content-type: application/x-www-form-urlencoded\r\n"
        )
        return head, urlencode(form).encode(), text

    # texts out

    async def _send(self) -> Seen:
        start = time.perf_counter()
        until = start + self._plan.seconds
        async with asyncio.TaskGroup() as group:
            for n, agent in enumerate(self._plan.agents):
                group.create_task(self._send_until(n, agent, until))
        self.seen.seconds = time.perf_counter() - start
        return self.seen

    async def _send_until(self, n: int, agent: One, until: float) -> None:
        """At this agent's share of the rate, each text timed from when it was due; without a rate one after another."""
        line = await Line.to(self._plan.edge)
        step = len(self._plan.agents) / self._plan.rate if self._plan.rate else 0.0
        due = time.perf_counter() + step * n / len(self._plan.agents)
        while due < until:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            text = {
                "to": f"+1201555{secrets.randbelow(10_000):04d}",
                "body": f"Your table {secrets.token_hex(4)} is ready.",
            }
            sent = await self._call(line, agent, "comms_send_message", text)
            now = time.perf_counter()
            self.seen.latencies.append(now - due)
            self.seen.messages.append((n, sent["message"]))
            self.seen.asked += 1
            due = due + step if step else now


def read_plan(raw: bytes) -> Plan:
    """The plan as its file has it."""
    content = orjson.loads(raw)
    return Plan(**content | {"agents": [One(**one) for one in content["agents"]]})


async def _main(plan: Plan) -> None:
    gc.freeze()
    gc.disable()
    seen = await Run(plan).run()
    sys.stdout.buffer.write(orjson.dumps(seen))


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_main(read_plan(Path(sys.argv[1]).read_bytes())))
