"""One database per service, SQLite or PostgreSQL, behind two verbs: `write(work)` and `read(work)`.

A transaction is a plain function of a `Tx`. What waits together is committed together: an idle service commits singles
at once, a busy one batches by itself. When one function of a group fails, the group is undone and each runs alone, so
`work` must have no effect but its statements.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, Protocol, TypeVar, overload

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection, CursorResult, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from common.commits import InThreads, Job, OnLoop, Writers
from common.errors import Unavailable
from common.messages import Event
from common.statements import Prepared, Rows, Values

T = TypeVar("T")

_RETRY_FOR = 5.0
"""Seconds a lost or locked database is tried again before the caller hears `Unavailable`."""

log = structlog.get_logger()

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
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_micros(micros: int) -> datetime:
    """The aware time of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


class Tx:
    """One transaction: statements, the database's time, and the events that become true with its commit."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.staged: list[Event] = []

    @overload
    def execute(self, statement: Prepared, parameters: Values | Sequence[Values] = ...) -> Rows: ...

    @overload
    def execute(
        self, statement: sa.Executable, parameters: Sequence[dict[str, Any]] | dict[str, Any] | None = ...
    ) -> CursorResult[Any]: ...

    def execute(self, statement: Any, parameters: Any = None) -> Any:
        """Run one statement (many times for a list of parameters)."""
        if statement.__class__ is Prepared:
            return statement.run(self.connection, parameters or {})
        return self.connection.execute(statement, parameters)

    def stage(self, *events: Event) -> None:
        """Publish these once this transaction is committed, and never if it is not."""
        self.staged.extend(events)

    def moment(self) -> datetime:
        """The time now, where `now` is when the transaction began: what happens under a lock happens after it is had.

        On SQLite the one writer's lock is had from the beginning.
        """
        return _now(self.connection) if self.postgres else self.now

    @property
    def postgres(self) -> bool:
        """Whether this runs on PostgreSQL (several writers) rather than SQLite (one)."""
        return self.connection.dialect.name == "postgresql"


class CommitHook(Protocol):
    """What wants a say at the end of every group: the outbox."""

    def before_commit(self, tx: Tx) -> Any:
        """Write what `tx` staged; the answer goes to `after_commit`."""

    def after_commit(self, written: Any) -> None:
        """Called on the event loop once the group is durable."""

    async def close(self) -> None:
        """Write what is still to be written; the database is about to close."""


class _Lent:
    """A connection for one transaction: SQLite's only one, or one of a pool."""

    def __init__(self, connection: Connection, *, kept: bool) -> None:
        self.connection, self._kept = connection, kept

    def give_back(self) -> None:
        """The transaction is over."""
        if not self._kept:
            self.connection.close()


class _Opened:
    """A group's transaction whose statements have run."""

    def __init__(self, lent: _Lent, works: Sequence[Callable[[Tx], Any]], hook: CommitHook | None) -> None:
        self._lent, self._hook = lent, hook
        try:
            self._transaction = lent.connection.begin()
        except BaseException:
            lent.give_back()
            raise
        try:
            tx = Tx(lent.connection, _now(lent.connection))
            self.results = [work(tx) for work in works]
            self._written = hook.before_commit(tx) if hook and tx.staged else None
        except BaseException:
            self._close()
            raise

    def commit(self) -> None:
        """Wait until it is durable."""
        try:
            self._transaction.commit()
        finally:
            self._close()

    def committed(self) -> None:
        """The outbox hears of it."""
        if self._written and self._hook:
            self._hook.after_commit(self._written)

    def _close(self) -> None:
        """Whatever is not committed by now is undone."""
        self._transaction.close()
        self._lent.give_back()


class Database:
    """The one way to this service's tables. `close()` waits for the writes already asked for."""

    def __init__(self, url: str, *, writers: int | None = None, readers: int = 4) -> None:
        self.url = sa.make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        self._writer_count = 1 if self.sqlite else (writers or 4)
        self._write_engine = _engine(self.url, "BEGIN IMMEDIATE", self._writer_count)
        self._read_engine = _engine(self.url, "BEGIN", readers + 1)
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="db-read")
        self._hook: CommitHook | None = None
        self._kept: dict[Engine, _Lent] = {}

    @cached_property
    def _writers(self) -> Writers:
        return OnLoop(self) if self.sqlite else InThreads(self, self._writer_count)

    def _lend(self, engine: Engine) -> _Lent:
        """On SQLite always the same: taking one from the pool and giving it back costs more than a short read."""
        if not self.sqlite:
            return _Lent(engine.connect(), kept=False)
        if engine not in self._kept:
            self._kept[engine] = _Lent(engine.connect(), kept=True)
        return self._kept[engine]

    @property
    def engine(self) -> Engine:
        """For the migration step and the tests; services use `write` and `read`."""
        return self._write_engine

    def on_commit(self, hook: CommitHook) -> None:
        """Give the outbox its place at the end of every transaction."""
        self._hook = hook

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Commit `work` and return what it returned. Raises what it raised, or `Unavailable` without a database."""
        job = Job(work)
        self._writers.put(job)
        result: T = await job.future
        return result

    async def read(self, work: Callable[[Tx], T], *, long: bool = False) -> T:
        """Run `work` on one consistent snapshot. `long` is for more than a page of rows: others go on meanwhile."""
        if self.sqlite and not long:
            return self._look(lambda: self._lend(self._read_engine), work)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def ping(self) -> None:
        """A real round trip; raises `Unavailable` when the database does not answer."""
        await self.read(lambda tx: tx.execute(sa.text("SELECT 1")).scalar())

    async def close(self) -> None:
        """Finish what was asked, then let go of every connection."""
        if self._hook:
            await self._hook.close()
        await self._writers.close()
        self._readers.shutdown(wait=True)
        for lent in self._kept.values():
            lent.connection.close()
        self._kept.clear()
        self._write_engine.dispose()
        self._read_engine.dispose()

    # for the writers

    def open(self, works: Sequence[Callable[[Tx], Any]]) -> _Opened:
        """Run `works` in one new transaction; when one raises, nothing of it remains."""
        return _Opened(self._lend(self._write_engine), works, self._hook)

    def patiently(self, works: Sequence[Callable[[Tx], Any]]) -> _Opened:
        """Open and commit, trying again while the database is locked, deadlocked or away; once when outrun."""
        deadline = time.monotonic() + _RETRY_FOR
        pause, outrun = 0.01, False
        while True:
            try:
                opened = self.open(works)
                opened.commit()
            except DBAPIError as error:
                if not _passing(error) and (outrun or not _outrun(error)):
                    raise
                outrun = outrun or _outrun(error)
                if time.monotonic() > deadline:
                    raise Unavailable(f"the database does not answer: {error.orig!r}", code="database") from error
            else:
                return opened
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries, guards nothing
            pause = min(pause * 2, 0.5)

    def passing(self, error: BaseException) -> bool:
        """Locked, deadlocked, serialisation failure or connection lost: the same may work in a moment."""
        return _passing(error) or _outrun(error)

    def copy_back(self) -> None:
        """Move pages of SQLite's log to their places, beside whoever writes; the rest is for the next time."""
        try:
            with self._read_engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                driver.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except (DBAPIError, sqlite3.Error) as error:
            log.warning("log_not_copied_back", error=repr(error))

    def _read(self, work: Callable[[Tx], T]) -> T:
        return self._look(lambda: _Lent(self._read_engine.connect(), kept=False), work)

    def _look(self, lend: Callable[[], _Lent], work: Callable[[Tx], T]) -> T:
        try:
            lent = lend()
            try:
                with lent.connection.begin():
                    return work(Tx(lent.connection, _now(lent.connection)))
            finally:
                lent.give_back()
        except DBAPIError as error:
            if _passing(error):
                raise Unavailable(f"the database does not answer: {error.orig!r}", code="database") from error
            raise


def insert_or_ignore(tx: Tx, table: sa.Table) -> Prepared:
    """An insert that leaves a row already there as it is (`rowcount` 0), on either database."""
    return _ignoring(tx.postgres, table)


@lru_cache(maxsize=256)
def _ignoring(postgres: bool, table: sa.Table) -> Prepared:
    insert = postgresql.insert if postgres else sqlite_insert
    return Prepared(insert(table).on_conflict_do_nothing())


def _passing(error: BaseException) -> bool:
    """Locked, deadlocked, serialisation failure or connection lost: the same transaction may work in a moment."""
    if isinstance(error, DBAPIError):
        code = getattr(error.orig, "sqlstate", None)
        if code:
            return code in {"40001", "40P01", "55P03"} or code.startswith(("08", "57P"))
        return error.connection_invalidated or (isinstance(error, OperationalError) and "no such" not in str(error))
    return False


def _outrun(error: BaseException) -> bool:
    """A unique row that another transaction added after this one looked: on PostgreSQL a second look finds it."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) == "23505"


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
            f"busy_timeout={0 if begin == 'BEGIN IMMEDIATE' else 10_000}",  # a writer waits beside the event loop
            "foreign_keys=ON",
            "wal_autocheckpoint=4000",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        try:
            driver.execute(begin)  # SQLAlchemy's own way takes as long as the whole of a short read
        except sqlite3.OperationalError as error:
            raise OperationalError(begin, None, error) from error

    return engine
