"""A load generator in a process of its own: raw sockets, requests built beforehand, answers counted by status.

`python -m bench.load plan.json` reads a plan, prints one JSON line. Closed loop: each connection asks again when
answered. Open loop: requests leave on a schedule, and time counts from the scheduled moment, so a stall is not hidden.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import cast

import orjson
import uvloop


@dataclass
class Plan:
    """What to send where. `requests` is a file of requests, each preceded by its length in four bytes."""

    port: int
    requests: str
    seconds: float
    connections: int = 64
    rate: float = 0.0
    """Requests per second; 0 for a closed loop."""


@dataclass
class Outcome:
    """What came back."""

    sent: int = 0
    answered: int = 0
    refused: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """In seconds, in order of arrival."""
    at: list[float] = field(default_factory=list)
    """When each answered request was due, in seconds from the start."""


def unpack(raw: bytes) -> list[bytes]:
    """The requests of a plan's file."""
    found, at = [], 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "big")
        found.append(raw[at + 4 : at + 4 + size])
        at += 4 + size
    return found


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on the way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._buffer = b""
        self._due = 0.0
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, due: float) -> None:
        self._due = due
        assert self.transport is not None
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        end = buffer.find(b"\r\n\r\n")
        if end < 0 or len(buffer) < end + 4 + _length(buffer, end):
            self._buffer = buffer
            return
        self._buffer = b""
        self._run.answered(self, self._due, buffer[9:10] == b"2")


def _length(buffer: bytes, end: int) -> int:
    at = buffer.find(b"content-length: ", 0, end)
    return int(buffer[at + 16 : buffer.find(b"\r\n", at)]) if at >= 0 else 0


class Run:
    """One measurement."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._requests = unpack(Path(plan.requests).read_bytes())
        self._left = len(self._requests)
        self._free: deque[Connection] = deque()
        self._late: deque[float] = deque()
        self._finished = asyncio.Event()
        self._closed = plan.rate == 0
        self._all_sent = False
        self._stop_at = 0.0
        self.start = 0.0
        self.outcome = Outcome()

    async def run(self) -> Outcome:
        """Send for the plan's seconds, then wait for what is on the way."""
        loop = asyncio.get_running_loop()
        made = [
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self._plan.port)
            for _ in range(self._plan.connections)
        ]
        cpu = time.process_time()
        self.start = time.perf_counter()
        self._stop_at = self.start + self._plan.seconds
        self._free.extend(connection for _, connection in made)
        if self._closed:
            while self._free:
                self._ask(self._free.popleft(), time.perf_counter())
        else:
            await self._schedule()
        async with asyncio.timeout(self._plan.seconds + 30):
            await self._finished.wait()
        self.outcome.seconds = time.perf_counter() - self.start
        self.outcome.cpu = time.process_time() - cpu
        return self.outcome

    def answered(self, connection: Connection, due: float, good: bool) -> None:
        now = time.perf_counter()
        outcome = self.outcome
        if good:
            outcome.answered += 1
        else:
            outcome.refused += 1
        outcome.latencies.append(now - due)
        outcome.at.append(due - self.start)
        if self._closed and now < self._stop_at and self._left:
            self._ask(connection, now)
        elif self._late:
            self._ask(connection, self._late.popleft())
        else:
            self._free.append(connection)
            self._all_sent = self._all_sent or self._closed
            self._finish_if_quiet()

    def _finish_if_quiet(self) -> None:
        if self._all_sent and len(self._free) == self._plan.connections:
            self._finished.set()

    async def _schedule(self) -> None:
        step, n = 1 / self._plan.rate, 0
        while (due := self.start + n * step) < self._stop_at and self._left:
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            self._ask_when_free(due)
            n += 1
        self._all_sent = True
        self._finish_if_quiet()

    def _ask_when_free(self, due: float) -> None:
        if self._free:
            self._ask(self._free.popleft(), due)
        else:
            self._late.append(due)

    def _ask(self, connection: Connection, due: float) -> None:
        self._left -= 1
        self.outcome.sent += 1
        connection.ask(self._requests[self._left], due)


async def _main(plan: Plan) -> None:
    gc.freeze()
    gc.disable()
    outcome = await Run(plan).run()
    sys.stdout.buffer.write(orjson.dumps(asdict(outcome)))


if __name__ == "__main__":
    uvloop.run(_main(Plan(**orjson.loads(Path(sys.argv[1]).read_bytes()))))
