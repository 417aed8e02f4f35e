"""Signed webhook → durable → 2xx, by the gateway as it is, beside a bare app that awaits the stream's acknowledgement.

Servers, broker and load each are a process of their own. Rounds of the two alternate, so that what else the machine
does hits both; ratios are medians of rounds.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hmac
import itertools
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlencode

import nats
import orjson
from common import streams
from common.streams import EVENTS

from bench.load import Outcome, Plan
from bench.results import Result, at_least, at_most, percentile
from tests.gateway.standing import MAIN, PUBLIC, ROUTE, TOKENS, Standing, answering, ending, sign, sms
from tests.support.servers import Broker, a_broker, free_port

CONNECTIONS = 64
OPEN_RATE = 1000.0
PAUSE, DRAIN = 10.0, 2.0
_PATH = f"/webhooks/{ROUTE}/sms"
_numbers = itertools.count(1)


@dataclass
class Sync:
    """How the broker writes, and how much of the floor's rate the gateway should reach then."""

    name: str
    interval: str
    goal: float


DEFAULT = Sync("default sync", "2m", 0.85)
ALWAYS = Sync("sync always", "always", 2.5)


async def run(quick: bool) -> list[Result]:
    """All of it: throughput with both ways of syncing, latency at a fixed rate, and a broker that stops."""
    results: list[Result] = []
    for sync in (DEFAULT, ALWAYS):
        async with _house(sync) as house:
            results.append(await _throughput(house, sync, rounds=3 if quick else 5, seconds=2 if quick else 4))
            if sync is DEFAULT:
                results.append(await _open_loop(house, rounds=2 if quick else 3, seconds=3 if quick else 6))
            else:
                results.append(await _stopped_broker(house, PAUSE / 2 if quick else PAUSE))
    return results


@dataclass
class House:
    """A broker, the floor and the gateway, all running."""

    folder: Path
    broker: Broker
    floor: int
    gateway: Standing

    async def load(self, port: int, seconds: float, *, count: int, rate: float = 0.0, connections: int = 64) -> Outcome:
        """One measurement, in a process of its own, with requests nobody has seen before."""
        requests, plan = self.folder / "requests", self.folder / "plan.json"
        requests.write_bytes(_requests(count))
        plan.write_bytes(orjson.dumps(asdict(Plan(port, str(requests), seconds, connections, rate))))
        command = [sys.executable, "-m", "bench.load", str(plan)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        return Outcome(**orjson.loads(out))

    async def stored(self) -> int:
        """How many messages the stream has."""
        client = await nats.connect(self.broker.url)
        info = await client.jetstream().stream_info(EVENTS)
        await client.close()
        return int(info.state.messages)


def _requests(count: int) -> bytes:
    """Signed texts with fresh ids, each preceded by its length: one made in full, the others after its pattern."""
    first = sms(next(_numbers))
    sid, token = first["MessageSid"], TOKENS[MAIN].encode()
    body, headers = urlencode(first), sign(_PATH, first, TOKENS[MAIN])
    signed = PUBLIC + _PATH + "".join(name + first[name] for name in sorted(first))
    head = "".join(f"{name}: {value}\r\n" for name, value in _headers(headers, body).items())
    pattern = f"POST {_PATH} HTTP/1.1\r\n{head}\r\n{body}"
    packed = []
    for n in itertools.islice(_numbers, count):
        fresh = f"SM{n:032x}"
        signature = base64.b64encode(hmac.digest(token, signed.replace(sid, fresh).encode(), "sha1")).decode()
        raw = pattern.replace(sid, fresh).replace(headers["X-Twilio-Signature"], signature).encode()
        packed.append(len(raw).to_bytes(4, "big") + raw)
    return b"".join(packed)


def _headers(signed: dict[str, str], body: str) -> dict[str, str]:
    agent = {"Host": "hooks.switchboard.test", "User-Agent": "TwilioProxy/1.1"}
    return agent | signed | {"Content-Length": str(len(body))}


@contextlib.asynccontextmanager
async def _house(sync: Sync) -> AsyncIterator[House]:
    with (
        tempfile.TemporaryDirectory(prefix="bench") as name,
        a_broker(Path(name) / "nats", sync_interval=sync.interval) as broker,
    ):
        client = await nats.connect(broker.url)
        await streams.declare(client.jetstream())
        await client.close()
        gateway, floor = Standing(Path(name), broker.url).prepare(), free_port()
        command = [sys.executable, "-m", "bench.floor_ingest", str(floor), broker.url]
        with ending(subprocess.Popen(command)), ending(gateway.process()):  # noqa: ASYNC220 - starting takes no time
            await answering(gateway.url)
            await answering(f"http://127.0.0.1:{floor}/")
            yield House(Path(name), broker, floor, gateway)


async def _throughput(house: House, sync: Sync, *, rounds: int, seconds: float) -> Result:
    """Closed loop. The first round of each warms up and is not counted."""
    ours: list[Outcome] = []
    floor: list[Outcome] = []
    kept: list[float] = []
    for n in range(rounds + 1):
        pair = [(house.floor, floor), (house.gateway.port, ours)]
        for port, outcomes in pair if n % 2 else pair[::-1]:
            before = await house.stored()
            outcomes.append(await house.load(port, seconds, count=int(seconds * 16_000)))
            if outcomes is ours:
                kept.append((await house.stored() - before) / max(1, ours[-1].answered))
            _all_good(outcomes[-1])
    ratios = [_rate(mine) / _rate(theirs) for mine, theirs in zip(ours[1:], floor[1:], strict=True)]
    ratio = statistics.median(ratios)
    goal, passed = at_least(ratio, sync.goal)
    keeping_up = min(kept[1:])
    latencies = [latency for one in ours[1:] for latency in one.latencies]
    return Result(
        f"webhook → 2xx, {sync.name}",
        "req/s",
        statistics.median(map(_rate, ours[1:])),
        percentile(latencies, 0.5) * 1e3,
        percentile(latencies, 0.99) * 1e3,
        statistics.median(map(_rate, floor[1:])),
        ratio,
        goal,
        passed and keeping_up >= 0.99,
        f"{CONNECTIONS} connections, closed loop, ratio of rates; {keeping_up:.1%} published meanwhile (≥ 99 %)",
    )


async def _open_loop(house: House, *, rounds: int, seconds: float) -> Result:
    """A thousand a second, whatever the answers; both ways' p99, medians of rounds."""
    tails: dict[int, list[float]] = {house.floor: [], house.gateway.port: []}
    halves: list[float] = []
    for n in range(rounds + 1):
        for port in list(tails)[:: 1 if n % 2 else -1]:
            outcome = await house.load(port, seconds, count=int(seconds * OPEN_RATE) + 10, rate=OPEN_RATE)
            _all_good(outcome)
            if n:
                tails[port].append(percentile(outcome.latencies, 0.99) * 1e3)
                if port == house.gateway.port:
                    halves.append(percentile(outcome.latencies, 0.5) * 1e3)
    ours, floor = statistics.median(tails[house.gateway.port]), statistics.median(tails[house.floor])
    goal, passed = at_most(ours / floor, 2.5)
    return Result(
        "webhook → 2xx at 1 000/s",
        "req/s",
        OPEN_RATE,
        statistics.median(halves),
        ours,
        floor,
        ours / floor,
        goal,
        passed,
        "open loop, from the scheduled time; floor and ratio are of p99, in ms",
    )


async def _stopped_broker(house: House, pause: float) -> Result:
    """The broker stands still in mid-load; nobody outside may notice, and what waited goes out at once afterwards."""
    assert house.broker.process is not None
    await _caught_up(house, 0)
    before, seconds = await house.stored(), pause + 6.0
    load = asyncio.create_task(
        house.load(house.gateway.port, seconds, count=int(seconds * OPEN_RATE) + 10, rate=OPEN_RATE, connections=256)
    )
    await asyncio.sleep(2.5)
    house.broker.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(pause)
    house.broker.process.send_signal(signal.SIGCONT)
    drained = await _caught_up(house)
    outcome = await load
    _all_good(outcome)
    await _until_stored(house, before + outcome.answered)
    tail = percentile(outcome.latencies, 0.99) * 1e3
    goal, passed = at_most(tail, 10, " ms")
    return Result(
        f"broker stopped for {pause:.0f} s",
        "req/s",
        OPEN_RATE,
        percentile(outcome.latencies, 0.5) * 1e3,
        tail,
        goal=f"p99 {goal}, drained ≤ {DRAIN:g} s",
        passed=passed and drained <= DRAIN,
        note=f"1 000/s, open loop, all answered 2xx; drained {drained:.2f} s after the broker's return",
    )


async def _caught_up(house: House, allowed: int = 200) -> float:
    """Seconds until no more than `allowed` rows wait: at a thousand a second, what 0.2 s leave on the way."""
    started = time.monotonic()
    while await _backlog(house) > allowed:  # noqa: ASYNC110 - another process; nothing to wait on
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def _backlog(house: House) -> int:
    """Rows of the spool above the position it has written down."""
    db = sqlite3.connect(f"file:{next(house.gateway.spool.glob('spool-*.db'))}?mode=ro", uri=True)
    try:
        last, position = db.execute("SELECT (SELECT coalesce(max(seq), 0) FROM rows), position FROM meta").fetchone()
    finally:
        db.close()
    return int(last - position)


async def _until_stored(house: House, expected: int) -> None:
    deadline = time.monotonic() + 30
    while (stored := await house.stored()) != expected:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the stream has {stored} messages, not {expected}")
        await asyncio.sleep(0.05)


def _rate(outcome: Outcome) -> float:
    return outcome.answered / outcome.seconds


def _all_good(outcome: Outcome) -> None:
    if outcome.refused or outcome.answered != outcome.sent:
        raise RuntimeError(f"of {outcome.sent} requests {outcome.answered} were answered 2xx, {outcome.refused} not")
