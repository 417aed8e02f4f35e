"""One SQLite file, one writer. A write returns after its commit is on disk; writes that wait together share one."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from carrier.schema import SCHEMA

T = TypeVar("T")
Job = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]
# Bounds how long one commit can take, and so how long the first of a batch waits.
BATCH = 256


class Store:
    """Runs jobs on the database: `write` one after another in shared transactions, `read` on a snapshot."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._readers = ThreadPoolExecutor(1, "carrier-reader")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reading: sqlite3.Connection | None = None
        self._writer: Thread | None = None

    async def open(self) -> None:
        """Create the file if needed and start the writer."""
        self._loop = asyncio.get_running_loop()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        writing = connect(self._path)
        writing.executescript(SCHEMA)
        self._reading = connect(self._path)
        self._writer = Thread(target=self._write_all, args=(writing,), name="carrier-writer", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        """Finish the writes that were asked for, then let go of the file."""
        self._queue.put(None)
        if self._writer:
            await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        if self._reading:
            self._reading.close()

    async def write(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job in a transaction; returns once committed. What the job raises undoes that job alone."""
        if self._writer is None or not self._writer.is_alive():
            raise RuntimeError("the store is not open")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put((job, future))
        return await future

    async def read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run a job that only looks. It sees every write that has returned."""
        reading = self._reading
        if reading is None:
            raise RuntimeError("the store is not open")
        return await asyncio.get_running_loop().run_in_executor(self._readers, job, reading)

    def _write_all(self, conn: sqlite3.Connection) -> None:
        with contextlib.closing(conn):
            while batch := self._next_batch():
                outcomes = _commit(conn, [job for job in batch if job is not None])
                if self._loop:
                    self._loop.call_soon_threadsafe(_settle, outcomes)
                if None in batch:
                    return

    def _next_batch(self) -> list[Job | None]:
        batch = [self._queue.get()]
        with contextlib.suppress(Empty):
            while len(batch) < BATCH and batch[-1] is not None:
                batch.append(self._queue.get_nowait())
        return batch


Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


def connect(path: Path) -> sqlite3.Connection:
    """Open the file the carrier's way: WAL, and every commit on disk before it returns."""
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    conn.row_factory = sqlite3.Row
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute("PRAGMA synchronous=FULL")
    return conn


def _commit(conn: sqlite3.Connection, jobs: list[Job]) -> list[Outcome]:
    try:
        conn.execute("BEGIN IMMEDIATE")
        outcomes = [_run(conn, job) for job in jobs]
        conn.execute("COMMIT")
    except sqlite3.Error as error:
        with contextlib.suppress(sqlite3.Error):
            conn.execute("ROLLBACK")
        return [(future, None, error) for _, future in jobs]
    return outcomes


def _run(conn: sqlite3.Connection, job: Job) -> Outcome:
    work, future = job
    conn.execute("SAVEPOINT job")
    try:
        value, error = work(conn), None
    except Exception as raised:  # the caller's to handle; only this job is undone
        conn.execute("ROLLBACK TO job")
        value, error = None, raised
    conn.execute("RELEASE job")
    return future, value, error


def _settle(outcomes: list[Outcome]) -> None:
    for future, value, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
