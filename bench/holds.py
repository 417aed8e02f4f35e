"""Money: authorise and settle per second with little and with much history behind it, and a cap under 64 senders."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from billing import holds
from billing.handlers import events
from billing.store import accounts, metadata
from billing.terms import Terms
from common.catalogue.billing import Authorize, Limits
from common.catalogue.messages import MessageSent
from common.db import Database
from common.outbox import Outbox

from bench.results import Result, at_most, percentile

ORG, SENDERS, AGENTS = "org_bench", 64, 8
_ENDLESS = Terms(Limits(), organisation_rate=10**9, agent_rate=10**9, burst=timedelta(minutes=1))


async def run(quick: bool) -> list[Result]:
    """Every figure of this file."""
    with tempfile.TemporaryDirectory(prefix="holds") as folder:
        return [*await _history(Path(folder), quick), await _cap(Path(folder))]


async def _history(folder: Path, quick: bool) -> list[Result]:
    """Both databases take turns, so that a busy machine is unfair to neither."""
    sizes = (10**3, 10**5 if quick else 10**6)
    books = [_books(folder / f"{size}.db", size) for size in sizes]
    rates: list[list[float]] = [[], []]
    delays: list[list[float]] = [[], []]
    for turn in range(-1, 4 if quick else 10):
        for which, database in enumerate(books):
            rate, taken = await _round(database, turn, 320 if quick else 960)
            if turn >= 0:  # the first warms caches and compiles statements
                rates[which].append(rate)
                delays[which] += taken
    for database in books:
        await database.close()
    small, large = (statistics.median(one) for one in rates)
    ratio = statistics.median(few / many for few, many in zip(*rates, strict=True))
    goal, passed = at_most(ratio, 1.2, "×")
    return [
        _result(f"authorise + settle, {sizes[0]:,} past rows", small, delays[0]),
        _result(f"authorise + settle, {sizes[1]:,} past rows", large, delays[1], small, ratio, goal, passed),
    ]


def _result(
    name: str,
    rate: float,
    delays: list[float],
    floor: float | None = None,
    ratio: float | None = None,
    goal: str = "",
    passed: bool | None = None,
) -> Result:
    p50, p99 = (percentile(delays, share) * 1e3 for share in (0.5, 0.99))
    return Result(name, "/s", rate, p50, p99, floor, ratio, goal, passed)


async def _round(database: Database, turn: int, count: int) -> tuple[float, list[float]]:
    delays: list[float] = []
    todo = iter(range(count))

    async def sender() -> None:
        for n in todo:
            started = time.perf_counter()
            await _authorize(database, f"op_{turn}_{n}", f"agt_{n % AGENTS}", _ENDLESS)
            sent = _sent(f"op_{turn}_{n}", f"agt_{n % AGENTS}")
            await database.write(lambda tx, sent=sent: events.message_sent(tx, sent))  # type: ignore[misc] # mypy cannot infer a lambda with a default
            delays.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(SENDERS)))
    return count / (time.perf_counter() - started), delays


async def _authorize(database: Database, hold: str, agent: str, terms: Terms) -> bool:
    order = Authorize(organisation=ORG, hold=hold, agent=agent, charge="sms_out", to="+14155550123")
    order = order.model_copy(update={"actor": order.actor.model_copy(update={"tier": "agent"})})
    quote = holds.quote(order)
    return (await database.write(lambda tx: holds.authorize(tx, order, quote, terms))).allowed


def _sent(operation: str, agent: str) -> MessageSent:
    return MessageSent.first(
        ORG,
        key=operation,
        operation=operation,
        message=operation,
        attempt=operation,
        agent=agent,
        channel="sms",
        provider="carrier",
        provider_id=operation,
        segments=1,
    )


async def _cap(folder: Path) -> Result:
    """64 senders at once on two connections to one database, a cap of 100 messages."""
    first = _books(folder / "cap.db", 0)
    second = Database(f"sqlite:///{folder / 'cap.db'}")
    await first.write(lambda tx: accounts.set_limits(tx, ORG, "", Limits(messages_per_day=100)))

    async def sender(who: int) -> int:
        where = (first, second)[who % 2]
        return sum([await _authorize(where, f"op_{who}_{n}", f"agt_{who % AGENTS}", _ENDLESS) for n in range(5)])

    started = time.perf_counter()
    admitted = sum(await asyncio.gather(*(sender(who) for who in range(SENDERS))))
    elapsed = time.perf_counter() - started
    for database in (first, second):
        await database.close()
    return Result(
        f"admitted under a cap of 100, {SENDERS} senders on two replicas: {admitted}",
        "decisions/s",
        SENDERS * 5 / elapsed,
        goal="= 100",
        passed=admitted == 100,
    )


def _books(path: Path, past: int) -> Database:
    """A database with an outbox and `past` settled texts, spread over the year before."""
    database = Database(f"sqlite:///{path}")
    metadata.create_all(database.engine)
    Outbox(database, "billing")
    if past:
        with database.engine.begin() as connection:
            for statement in (_PAST_CHARGES, _PAST_POSTINGS, _PAST_USAGE):
                connection.execute(sa.text(statement), {"count": past, "org": ORG, "year_ago": _year_ago()})
    return database


def _year_ago() -> int:
    return int((datetime.now(UTC) - timedelta(days=365)).timestamp())


_PAST = """
WITH RECURSIVE past(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM past WHERE n + 1 < :count),
spread AS (SELECT n, :year_ago + n * 31449600 / :count AS at FROM past)
"""

_PAST_CHARGES = f"""
INSERT INTO charges (organisation, hold, at, state, agent, kind, quantity, cost, held, markup, authorised, price)
{_PAST} SELECT :org, 'op_' || lower(hex(randomblob(12))), at * 1000000, 'captured', 'agt_' || (n % 8), 'sms_out', 1,
8300, 14500, 0, 1, 8300 FROM spread
"""

_PAST_POSTINGS = """
INSERT INTO postings (id, organisation, agent, kind, quantity, cost, billed, at, day, hold, correction)
SELECT lower(hex(randomblob(16))), organisation, agent, kind, 1, cost, cost, at,
strftime('%Y-%m-%d', at / 1000000, 'unixepoch'), hold, 0 FROM charges WHERE organisation = :org
AND :count > 0 AND :year_ago > 0
"""

_PAST_USAGE = """
INSERT INTO usage (organisation, day, agent, kind, count, quantity, cost, billed)
SELECT organisation, day, agent, kind, count(*), sum(quantity), sum(cost), sum(billed) FROM postings
WHERE organisation = :org AND :count > 0 AND :year_ago > 0 GROUP BY organisation, day, agent, kind
"""
