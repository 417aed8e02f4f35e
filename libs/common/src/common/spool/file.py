"""One spool file: a locked SQLite database of rows in dense sequence. Synchronous; used by one thread at a time.

`begin` does the work of storing and waits for nothing; `commit` waits for the disk and does nothing else, so that each
can run where it harms least.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from common import envelope
from common.messages import Event
from common.relay import RETENTION, Row
from common.spool.seen import Seen

_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, subject TEXT NOT NULL, body BLOB NOT NULL,
    created_at INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS meta (
    one INTEGER PRIMARY KEY CHECK (one = 1), producer TEXT NOT NULL, last INTEGER NOT NULL,
    position INTEGER NOT NULL, incarnation TEXT NOT NULL, stream_seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS probe (one INTEGER PRIMARY KEY CHECK (one = 1), filler BLOB NOT NULL);
"""
_PATIENCE = 5000
"""Milliseconds to wait for somebody else who is writing to the file, such as a person with a shell."""

# A commit is on the disk before it returns. `copy_back` leaves little to the writer's own checkpoint, every 16 MB.
# Ids are random, so the pages of their table are wanted all over: SQLite's own 2 MB read most of them back every time.
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "wal_autocheckpoint = 4000",
    f"busy_timeout = {_PATIENCE}",
    "cache_size = -16384",
)
_OLD = "SELECT seq, id FROM rows WHERE seq < (SELECT min(seq) FROM rows) + ? AND seq <= ? AND created_at < ?"
_META = """
SELECT producer, max(last, (SELECT coalesce(max(seq), 0) FROM rows)), position, incarnation, stream_seq FROM meta
"""
_AT_ONCE = "PRAGMA busy_timeout = 0"
_PROBE = 8192
_PRUNE_STEP = 500


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the broker has this file: every row up to `position`, the highest at `stream_seq` of `incarnation`."""

    position: int = 0
    incarnation: str = ""
    stream_seq: int = 0


class Busy(sqlite3.OperationalError):
    """Somebody else is writing to the file."""


class SpoolFile:
    """An open, locked file. Its producer name is its own for ever, so that a reader can see what it missed."""

    def __init__(self, path: Path, service: str, lock: int) -> None:
        self.path = path
        self._lock = lock
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        self._copier = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                self._db.execute(f"PRAGMA {pragma}")
            self._db.executescript(_SCHEMA)
            name = f"{service}-{path.stem.rpartition('-')[2]}-{secrets.token_hex(4)}"
            self._db.execute("INSERT OR IGNORE INTO meta VALUES (1, ?, 0, 0, '', 0)", (name,))
            self.producer, self.last, *mark = self._db.execute(_META).fetchone()
            self._seen = Seen(self._db)
            self._db.execute(_AT_ONCE)
        except sqlite3.Error:
            self._copier.close()
            self._db.close()
            raise
        self.mark = Mark(*mark)
        self._begun: tuple[list[Row | None], Mark | None] = [], None

    def warm_up(self) -> None:
        """Read what storing needs, so that the first event is stored as quickly as the others."""
        self._seen.load()

    def begin(self, events: Sequence[Event], mark: Mark | None) -> None:
        """Put what is not there yet, and `mark`, into a transaction; raises `Busy` at once, or what failed."""
        self._open()
        try:
            rows = self._number(events, self._seen.among([event.id for event in events]))
            added = [row for row in rows if row is not None]
            self._insert(added)
            if mark is not None:
                self._write_meta(added[-1].seq if added else self.last, mark)
        except BaseException:
            self._roll_back()
            raise
        self._begun = rows, mark

    def commit(self) -> list[Row | None]:
        """Make what was begun durable; a row for each event that was really added."""
        self._close()
        rows, mark = self._begun
        added = [row for row in rows if row is not None]
        self._seen.settle([row.id for row in added])
        self.last = added[-1].seq if added else self.last
        self.mark = mark or self.mark
        return rows

    def store(self, events: Sequence[Event], mark: Mark | None) -> list[Row | None]:
        """`begin` and `commit`, and it waits for whoever is writing."""
        with self._patient():
            self.begin(events, mark)
            return self.commit()

    def read(self, after: int, limit: int) -> list[Row]:
        """Rows above sequence `after`, oldest first."""
        found = self._db.execute(
            "SELECT seq, id, subject, body FROM rows WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit)
        )
        return [Row(*row) for row in found]

    def first(self, after: int = 0) -> tuple[int, float] | None:
        """Sequence and age in seconds of the oldest row above `after`."""
        sought = "SELECT seq, created_at FROM rows WHERE seq > ? ORDER BY seq LIMIT 1"
        row = self._db.execute(sought, (after,)).fetchone()
        return row and (row[0], max(0.0, time.time() - row[1] / 1e6))

    def probe(self) -> None:
        """Write and commit for real, two pages of it; raises as `commit` would."""
        with self._transaction():
            self._db.execute("REPLACE INTO probe VALUES (1, randomblob(?))", (_PROBE,))

    def prune(self) -> int:
        """Delete one small step of what the broker has and `RETENTION` has passed; says how many."""
        oldest = int((time.time() - RETENTION.total_seconds()) * 1e6)
        with self._transaction():
            self._write_meta(self.last, self.mark)
            old = self._db.execute(_OLD, (_PRUNE_STEP, self.mark.position, oldest)).fetchall()
            ids = [row[1] for row in old]
            self._db.executemany("DELETE FROM rows WHERE seq = ?", [row[:1] for row in old])
            self._seen.delete(ids)
        self._seen.forget(ids)
        return len(old)

    def copy_back(self) -> None:
        """Move the write-ahead log's pages to their places; alone of all, it may run in another thread meanwhile.

        In the writer's own thread this held up appends for 10 ms and more, once in a few seconds.
        """
        self._copier.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()

    def close(self) -> None:
        """Let go of the file; the next to claim it goes on where it stands."""
        self._copier.close()
        self._db.close()
        os.close(self._lock)

    def _number(self, events: Sequence[Event], known: set[str]) -> list[Row | None]:
        """The next sequences for those not `known`, so that the sequence stays dense; None for a repeat."""
        rows: list[Row | None] = []
        seq = self.last
        for event in events:
            if event.id in known:
                rows.append(None)
                continue
            known.add(event.id)
            seq += 1
            body = envelope.encode(event, producer=self.producer, sequence=seq)
            rows.append(Row(seq, event.id, event.subject, body))
        return rows

    def _insert(self, rows: Sequence[Row]) -> None:
        now = time.time_ns() // 1000
        self._db.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", [(*row, now) for row in rows])
        self._seen.make_room(len(rows), self.last)

    def _write_meta(self, last: int, mark: Mark) -> None:
        self._db.execute(
            "UPDATE meta SET last = ?, position = ?, incarnation = ?, stream_seq = ?",
            (last, mark.position, mark.incarnation, mark.stream_seq),
        )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._patient():
            self._open()
            try:
                yield
            except BaseException:
                self._roll_back()
                raise
            self._close()

    @contextlib.contextmanager
    def _patient(self) -> Iterator[None]:
        """Statements in this block wait for another writer; it takes a statement, so it is not for every one."""
        self._db.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
        try:
            yield
        finally:
            self._db.execute(_AT_ONCE)

    def _open(self) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise (Busy() if error.sqlite_errorcode == sqlite3.SQLITE_BUSY else error) from error

    def _close(self) -> None:
        """Durable, or rolled back and raised."""
        try:
            self._db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        self._seen.undo()
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")


def claim(folder: Path, service: str) -> SpoolFile:
    """The first file of `folder` that nobody holds, made when there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    slot = 0
    while (file := take(folder / f"spool-{slot}.db", service)) is None:
        slot += 1
    file.warm_up()
    return file


def take(path: Path, service: str) -> SpoolFile | None:
    """This file, or None when a living process holds it."""
    lock = _lock(path.with_suffix(".lock"))
    if lock is None:
        return None
    return _or_unlock(lock, lambda: SpoolFile(path, service, lock))


def _lock(path: Path) -> int | None:
    """Beside the database, since closing any handle on the database itself would drop SQLite's own locks."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _or_unlock(lock: int, make: Callable[[], SpoolFile]) -> SpoolFile:
    try:
        return make()
    except BaseException:
        os.close(lock)
        raise
