"""One database per service, SQLite or PostgreSQL, behind two verbs: `write(work)` and `read(work)`.

A transaction is a plain function of a `Tx`. Writers take whatever functions wait and commit them together (group
commit): an idle service commits singles at once, a busy one batches by itself. When one function of a group fails, the
group is undone and each runs alone, so `work` must have no effect but its statements.
"""

from __future__ import annotations

import asyncio
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, CursorResult, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from common.errors import Unavailable
from common.messages import Event

T = TypeVar("T")

GROUP = 64
"""Most functions that share one commit."""

_RETRY_FOR = 5.0
"""Seconds a lost or locked database is tried again before the caller hears `Unavailable`."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Utc(sa.types.TypeDecorator[datetime]):
    """An aware time in UTC, kept as integer microseconds on both databases: it compares and subtracts alike."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        """Python to database; a naive time is a bug."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        """Database to Python."""
        return None if value is None else from_micros(value)


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    if moment.tzinfo is None:
        raise ValueError("times are aware and in UTC")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """The aware time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


class Tx:
    """One transaction: statements, the database's time, and the events that become true with its commit."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.staged: list[Event] = []

    def execute(
        self, statement: sa.Executable, parameters: Sequence[dict[str, Any]] | dict[str, Any] | None = None
    ) -> CursorResult[Any]:
        """Run one statement (many times for a list of parameters)."""
        return self.connection.execute(statement, parameters)

    def stage(self, *events: Event) -> None:
        """Publish these once this transaction is committed, and never if it is not."""
        self.staged.extend(events)

    @property
    def postgres(self) -> bool:
        """Whether this runs on PostgreSQL (several writers) rather than SQLite (one)."""
        return self.connection.dialect.name == "postgresql"


class CommitHook(Protocol):
    """What wants a say at the end of every group: the outbox."""

    def before_commit(self, tx: Tx) -> Any:
        """Write what `tx` staged; the answer goes to `after_commit`."""

    def after_commit(self, written: Any) -> None:
        """Called in the writer's thread once the group is durable."""

    async def close(self) -> None:
        """Write what is still to be written; the database is about to close."""


class _Job:
    def __init__(self, work: Callable[[Tx], Any], loop: asyncio.AbstractEventLoop, patience: float) -> None:
        self.work, self.loop, self.future = work, loop, loop.create_future()
        self.until = time.monotonic() + patience

    def done(self, result: Any, error: BaseException | None) -> None:
        def settle() -> None:
            if self.future.cancelled():
                return
            if error is None:
                self.future.set_result(result)
            else:
                self.future.set_exception(error)

        self.loop.call_soon_threadsafe(settle)


class Database:
    """The one way to this service's tables. `close()` waits for the writes already asked for."""

    def __init__(self, url: str, *, writers: int | None = None, readers: int = 4) -> None:
        self.url = sa.make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._writer_count = 1 if self.sqlite else (writers or 4)
        self._write_engine = _engine(self.url, "BEGIN IMMEDIATE", self._writer_count)
        self._read_engine = _engine(self.url, "BEGIN", readers)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="db-read")
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._hook: CommitHook | None = None

    @property
    def engine(self) -> Engine:
        """For the migration step and the tests; services use `write` and `read`."""
        return self._write_engine

    def on_commit(self, hook: CommitHook) -> None:
        """Give the outbox its place at the end of every transaction."""
        self._hook = hook

    async def write(self, work: Callable[[Tx], T], *, patience: float = 0.0) -> T:
        """Commit `work` and return what it returned. Raises what it raised, or `Unavailable` without a database.

        `patience` is how many seconds it may wait for others to share its commit: for work nobody waits for.
        """
        job = _Job(work, asyncio.get_running_loop(), patience)
        self._start()
        self._jobs.put(job)
        result: T = await job.future
        return result

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` on one consistent snapshot."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def ping(self) -> None:
        """A real round trip; raises `Unavailable` when the database does not answer."""
        await self.read(lambda tx: tx.execute(sa.text("SELECT 1")).scalar())

    async def close(self) -> None:
        """Finish what was asked, then let go of every connection."""
        if self._hook:
            await self._hook.close()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._threads.clear()
        self._readers.shutdown(wait=True)
        self._write_engine.dispose()
        self._read_engine.dispose()

    def _start(self) -> None:
        while len(self._threads) < self._writer_count:
            thread = threading.Thread(target=self._serve, name="db-write", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self) -> None:
        while True:
            group = self._wait_for_group()
            if not group:
                return
            try:
                results = self._commit([job.work for job in group])
            except Exception as error:
                self._one_by_one(group, error)
            else:
                for job, result in zip(group, results, strict=True):
                    job.done(result, None)

    def _wait_for_group(self) -> list[_Job]:
        first = self._jobs.get()
        if first is None:
            return []
        group, until = [first], first.until
        while len(group) < GROUP:
            left = until - time.monotonic()
            try:
                job = self._jobs.get(timeout=left) if left > 0 else self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            group.append(job)
            until = min(until, job.until)
        return group

    def _one_by_one(self, group: list[_Job], error: Exception) -> None:
        """Undo, then run each alone: only the one that fails hears of it."""
        if len(group) == 1 and not _passing(error):
            group[0].done(None, error)
            return
        for job in group:
            try:
                job.done(self._persist(job.work), None)
            except Exception as alone:
                job.done(None, alone)

    def _persist(self, work: Callable[[Tx], T]) -> T:
        """Commit one function, trying again while the database is locked, deadlocked or away."""
        deadline = time.monotonic() + _RETRY_FOR
        pause = 0.01
        while True:
            try:
                return self._commit([work])[0]  # type: ignore[no-any-return] # one work, its own result
            except DBAPIError as error:
                if not _passing(error):
                    raise
                if time.monotonic() > deadline:
                    raise Unavailable(f"the database does not answer: {error.orig!r}", code="database") from error
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries, guards nothing
            pause = min(pause * 2, 0.5)

    def _commit(self, works: list[Callable[[Tx], Any]]) -> list[Any]:
        with self._write_engine.begin() as connection:
            tx = Tx(connection, _now(connection))
            results = [work(tx) for work in works]
            written = self._hook.before_commit(tx) if self._hook and tx.staged else None
        if written and self._hook:
            self._hook.after_commit(written)
        return results

    def _read(self, work: Callable[[Tx], T]) -> T:
        try:
            with self._read_engine.begin() as connection:
                return work(Tx(connection, _now(connection)))
        except DBAPIError as error:
            if _passing(error):
                raise Unavailable(f"the database does not answer: {error.orig!r}", code="database") from error
            raise


def insert_or_ignore(tx: Tx, table: sa.Table) -> sa.Insert:
    """An insert that leaves a row already there as it is (`rowcount` 0), on either database."""
    return _ignoring(tx.postgres, table)


@lru_cache(maxsize=256)
def _ignoring(postgres: bool, table: sa.Table) -> sa.Insert:
    """Built once: a statement's construction and cache key cost more than its execution."""
    insert = postgresql.insert if postgres else sqlite.insert
    # Without the option SQLAlchemy forgets an insert's count on PostgreSQL, and every row would look like a repeat.
    return insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)


def _passing(error: BaseException) -> bool:
    """Locked, deadlocked, serialisation failure or connection lost: the same transaction may work in a moment."""
    if isinstance(error, DBAPIError):
        code = getattr(error.orig, "sqlstate", None)
        if code:
            return code in {"40001", "40P01", "55P03"} or code.startswith(("08", "57P"))
        return error.connection_invalidated or (isinstance(error, OperationalError) and "no such" not in str(error))
    return False


def _now(connection: Connection) -> datetime:
    """The database's time. SQLite has no clock of its own: it shares this host's."""
    if connection.dialect.name == "sqlite":
        return from_micros(time.time_ns() // 1000)
    moment: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    return moment.astimezone(UTC)


def _engine(url: sa.URL, begin: str, connections: int) -> Engine:
    """An engine whose transactions begin as told: IMMEDIATE for SQLite writers, a snapshot for readers."""
    if url.get_backend_name() != "sqlite":
        level = "READ COMMITTED" if begin != "BEGIN" else "REPEATABLE READ"
        return sa.create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=connections,
            pool_pre_ping=True,
            isolation_level=level,
        )
    engine = sa.create_engine(
        url,
        poolclass=QueuePool,
        pool_size=connections,
        connect_args={"timeout": 10, "check_same_thread": False, "isolation_level": None},
    )

    @sa.event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "busy_timeout=10000",
            "foreign_keys=ON",
            "wal_autocheckpoint=4000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
