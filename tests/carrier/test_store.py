"""The store's promise: one job's failure is its own, and what returned is on disk."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from carrier.ledger import Entry, counts, record
from carrier.store import Store, connect


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "carrier.sqlite")
    await store.open()
    yield store
    await store.close()


def note(conn: sqlite3.Connection) -> None:
    record(conn, Entry("message_out", "AC", "SM", body="x"))


def note_and_fail(conn: sqlite3.Connection) -> None:
    note(conn)
    raise LookupError("changed my mind")


async def test_a_failed_job_leaves_nothing_and_does_not_touch_its_neighbours(store: Store) -> None:
    jobs = [note, note_and_fail, note, note_and_fail, note]
    results = await asyncio.gather(*(store.write(job) for job in jobs), return_exceptions=True)
    assert [isinstance(result, LookupError) for result in results] == [False, True, False, True, False]
    assert await store.read(counts) == {"message_out": 3}


async def test_a_write_that_returned_is_seen_by_any_other_reader_of_the_file(store: Store, tmp_path: Path) -> None:
    await store.write(note)
    other = connect(tmp_path / "carrier.sqlite")
    assert counts(other) == {"message_out": 1}
    assert other.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert other.execute("PRAGMA synchronous").fetchone()[0] == 2
    other.close()


async def test_a_closed_store_refuses_instead_of_waiting_for_ever(tmp_path: Path) -> None:
    store = Store(tmp_path / "carrier.sqlite")
    await store.open()
    await store.close()
    with pytest.raises(RuntimeError, match="not open"):
        await store.write(note)
