"""Events that leave with the transaction that made them true.

A row carries a dense sequence per producer and keeps what the broker acknowledged (stream incarnation and sequence),
so a broker that lost its data is noticed and given again what it no longer has. Rows stay for `RETENTION`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from common import envelope, ids
from common.db import Database, Tx, Utc, insert_or_ignore
from common.errors import SwitchboardError
from common.messages import Event
from common.relay import RETENTION, Row
from common.statements import Prepared

_SWEEP_AGE = timedelta(seconds=2)
_SWEEP_EVERY = 1.0
_SWEEP_LEASE = timedelta(seconds=5)
_SWEEP_BATCHES = 8
"""How many batches one look at the table brings."""

_NOTE_AFTER = 0.1
"""Seconds before it is written down what the broker has: one line for all batches of that time."""

_AT_ONCE = 1024
"""Rows noted in one statement: after a long commit tens of thousands wait, more than a statement has parameters for."""

_MEMORY = 20_000
"""Rows held in memory for the quick way; more are found again in the table."""


def tables(metadata: sa.MetaData) -> tuple[sa.Table, sa.Table]:
    """The two tables of an outbox: its rows, and the producer's own line."""
    rows = sa.Table(
        "outbox",
        metadata,
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(64), nullable=False, unique=True),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("created_at", Utc, nullable=False),
        sa.Column("incarnation", sa.String(64)),
        sa.Column("stream_seq", sa.BigInteger),
        sa.Index(
            "outbox_open",
            "seq",
            sqlite_where=sa.text("stream_seq IS NULL"),
            postgresql_where=sa.text("stream_seq IS NULL"),
        ),
        sa.Index("outbox_stream_seq", "stream_seq"),
    )
    producer = sa.Table(
        "outbox_producer",
        metadata,
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("sweeper", sa.String(64)),
        sa.Column("sweeper_until", Utc),
    )
    return rows, producer


_rows, _producer = tables(sa.MetaData())

# Statements of every commit are built once: building one costs as much as running it.

_LAST = Prepared(sa.select(_producer.c.last_seq).where(_producer.c.name == sa.bindparam("producer")).with_for_update())

_KNOWN = Prepared(sa.select(_rows.c.id).where(_rows.c.id.in_(sa.bindparam("events", expanding=True))))

_ADD = Prepared(sa.insert(_rows))

_MOVE = Prepared(
    sa.update(_producer).where(_producer.c.name == sa.bindparam("producer")).values(last_seq=sa.bindparam("last"))
)

_OPEN = Prepared(sa.select(_rows.c.seq).where(_rows.c.stream_seq.is_(None)).limit(1))

_PLACE = Prepared(
    sa.update(_rows)
    .where(_rows.c.seq.in_(sa.bindparam("seqs", expanding=True)))
    .values(incarnation=sa.bindparam("within"), stream_seq=sa.bindparam("last"))
)

log = structlog.get_logger()


class Outbox:
    """Stages events at commit and hands them to the relay: at once from memory, later from the table."""

    def __init__(self, database: Database, producer: str) -> None:
        self.producer = producer
        self._database = database
        self._me = ids.random("relay")
        self._fresh: deque[Row] = deque(maxlen=_MEMORY)
        self._wake = asyncio.Event()
        self._held: deque[Row] = deque()
        self._sweep_all = True
        self._next_sweep = 0.0
        self._placed: dict[str, tuple[int, list[int]]] = {}
        self._noting: asyncio.Task[None] | None = None
        database.on_commit(self)

    # at commit

    def before_commit(self, tx: Tx) -> list[Row]:
        """Give the staged events their sequence; one staged before keeps its first. Locks the producer last."""
        events = list({event.id: event for event in tx.staged}.values())
        last = self._locked(tx)
        known = set(tx.execute(_KNOWN, {"events": [event.id for event in events]}).scalars())
        rows = [self._row(event, last + n) for n, event in enumerate((e for e in events if e.id not in known), 1)]
        if rows:
            tx.execute(_ADD, [_stored(row, tx) for row in rows])
            tx.execute(_MOVE, {"producer": self.producer, "last": rows[-1].seq})
        return rows

    def after_commit(self, written: list[Row]) -> None:
        """Let the relay have them without a look at the table."""
        self._fresh.extend(written)
        self._wake.set()

    def _locked(self, tx: Tx) -> int:
        """The last sequence given out. Of two replicas that would begin at once, one waits for the other's commit."""
        mine = {"producer": self.producer}
        last = tx.execute(_LAST, mine).scalar()
        if last is None:
            tx.execute(insert_or_ignore(tx, _producer), {"name": self.producer, "last_seq": 0})
            last = tx.execute(_LAST, mine).scalar_one()
        return int(last)

    def _row(self, event: Event, seq: int) -> Row:
        return Row(seq, event.id, event.subject, envelope.encode(event, producer=self.producer, sequence=seq))

    # for the relay

    async def take(self, limit: int, timeout: float) -> Sequence[Row]:
        """Rows the broker does not have, oldest first; empty when there are none for `timeout` seconds."""
        if not self._held:
            self._hold(await self._sweep_if_due(limit * _SWEEP_BATCHES))
        if self._held:
            return _first(self._held, limit)
        if not self._fresh:
            self._wake.clear()
            # Not `wait_for`: before Python 3.12 it swallows a cancellation that meets a wake-up.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
        return _first(self._fresh, limit)

    def _hold(self, swept: Sequence[Row]) -> None:
        """What the table gave out must not leave from memory too: the broker refuses a batch with a repeat."""
        self._held.extend(swept)
        known = {row.seq for row in swept}
        while self._fresh and self._fresh[0].seq in known:
            self._fresh.popleft()

    async def acknowledged(self, rows: Sequence[Row], incarnation: str, last_seq: int) -> None:
        """Remember where the broker put them: `rows` end at stream sequence `last_seq` at the latest.

        Written a moment later, so that the relay need not wait for a commit. What is lost with the process is given
        out once more, and the broker drops the repeat.
        """
        last, seqs = self._placed.get(incarnation, (0, []))
        self._placed[incarnation] = max(last, last_seq), [*seqs, *(row.seq for row in rows)]
        if self._noting is None or self._noting.done():
            self._noting = asyncio.create_task(self._note())

    async def _note(self) -> None:
        """Until everything is written; what cannot be written is swept, and published, again."""
        while self._placed:
            await asyncio.sleep(_NOTE_AFTER)
            placed, self._placed = self._placed, {}
            try:
                await self._database.write(lambda tx, placed=placed: _place(tx, placed))  # type: ignore[misc]
            except SwitchboardError as error:
                log.warning("acknowledgements_not_noted", error=repr(error))

    async def close(self) -> None:
        """Return when nothing is left to note."""
        if self._noting is not None:
            await asyncio.wait({self._noting})

    async def _forget_placed(self) -> None:
        """What another incarnation acknowledged is void, and must not be written any more."""
        self._placed.clear()
        await self.close()

    async def forget_beyond(self, incarnation: str, last_seq: int) -> int:
        """The broker is another, or ends before what it acknowledged: give out again what it lacks; says how many."""
        unsaid = bool(self._placed)
        await self._forget_placed()
        lost = (_rows.c.stream_seq.is_not(None)) & (
            (_rows.c.incarnation != incarnation) | (_rows.c.stream_seq > last_seq)
        )

        def forget(tx: Tx) -> int:
            return tx.execute(sa.update(_rows).where(lost).values(incarnation=None, stream_seq=None)).rowcount

        count = await self._database.write(forget)
        self._sweep_all = self._sweep_all or count > 0 or unsaid or bool(self._held)
        self._held.clear()
        return count

    async def backlog(self) -> tuple[int, float]:
        """How many rows wait, and the age of the oldest in seconds."""

        def count(tx: Tx) -> tuple[int, float]:
            waiting = sa.select(sa.func.count(), sa.func.min(_rows.c.created_at)).where(_rows.c.stream_seq.is_(None))
            count, oldest = list(tx.execute(waiting).one())
            return count, (tx.now - oldest).total_seconds() if oldest else 0.0

        return await self._database.read(count, long=True)

    async def prune(self) -> int:
        """Delete published rows past `RETENTION`, a thousand at a time so that nobody waits."""

        def delete(tx: Tx) -> int:
            old = (
                sa.select(_rows.c.seq)
                .where(_rows.c.created_at < tx.now - RETENTION, _rows.c.stream_seq.is_not(None))
                .order_by(_rows.c.seq)
                .limit(1000)
            )
            return tx.execute(sa.delete(_rows).where(_rows.c.seq.in_(old))).rowcount

        deleted = await self._database.write(delete)
        return deleted + (await self.prune() if deleted == 1000 else 0)

    async def _sweep_if_due(self, limit: int) -> Sequence[Row]:
        """Everything open at the start and after a loss; else, once a second, what has waited too long."""
        if self._sweep_all:
            rows = await self._sweep(limit, timedelta(0))
            self._sweep_all = len(rows) == limit
            return rows
        if time.monotonic() < self._next_sweep:
            return []
        self._next_sweep = time.monotonic() + _SWEEP_EVERY
        return await self._sweep(limit, _SWEEP_AGE)

    async def _sweep(self, limit: int, age: timedelta) -> list[Row]:
        """Old open rows, if no other replica is sweeping: what a dead one left, or a broker lost."""

        def find(tx: Tx) -> list[Row]:
            oldest_first = (
                sa.select(_rows.c.seq, _rows.c.id, _rows.c.subject, _rows.c.body)
                .where(_rows.c.stream_seq.is_(None), _rows.c.created_at <= tx.now - age)
                .order_by(_rows.c.seq)
                .limit(limit)
            )
            found = [Row(row.seq, row.id, row.subject, row.body) for row in tx.execute(oldest_first)]
            return found if found and self._hold_sweep(tx) else []

        if not await self._database.read(_any_open):
            return []
        return await self._database.write(find)

    def _hold_sweep(self, tx: Tx) -> bool:
        mine = (_producer.c.sweeper == self._me) | (_producer.c.sweeper_until < tx.now) | _producer.c.sweeper.is_(None)
        held = tx.execute(
            sa.update(_producer)
            .where(_producer.c.name == self.producer, mine)
            .values(sweeper=self._me, sweeper_until=tx.now + _SWEEP_LEASE)
        )
        return held.rowcount == 1


def _place(tx: Tx, placed: dict[str, tuple[int, list[int]]]) -> None:
    for incarnation, (last, seqs) in placed.items():
        for part in range(0, len(seqs), _AT_ONCE):
            tx.execute(_PLACE, {"seqs": seqs[part : part + _AT_ONCE], "within": incarnation, "last": last})


def _first(rows: deque[Row], limit: int) -> list[Row]:
    return [rows.popleft() for _ in range(min(limit, len(rows)))]


def _any_open(tx: Tx) -> Any:
    return tx.execute(_OPEN).first()


def _stored(row: Row, tx: Tx) -> dict[str, Any]:
    return {"seq": row.seq, "id": row.id, "subject": row.subject, "body": row.body, "created_at": tx.now}
