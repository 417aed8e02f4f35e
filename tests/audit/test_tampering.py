"""Whatever is done to a stored chain is found, at its place; an erased payload is not damage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from audit import chain
from audit.chain import Entry, Head
from audit.checkpoints import Checkpoint
from audit.inspection import Verdict, inspect
from audit.store import chains
from audit.store.tables import entries, heads, payloads
from common.db import Database, Tx
from common.outbox import Outbox
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.audit.building import events

LENGTH = 12
NOW = datetime(2026, 1, 1, tzinfo=UTC)
indexes = st.integers(1, LENGTH)
quick = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)


class Stored:
    """A database with two chains, on which each example works inside a transaction that is undone."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def after(self, tamper: Callable[[Tx], Any], checkpoints: list[Checkpoint] | None = None) -> dict[str, Verdict]:
        with self._database.engine.connect() as connection, connection.begin() as transaction:
            tx = Tx(connection, NOW)
            tamper(tx)
            verdicts = {verdict.organisation: verdict for verdict in inspect(tx, checkpoints or [])}
            transaction.rollback()
        return verdicts

    def finding(self, tamper: Callable[[Tx], Any], checkpoints: list[Checkpoint] | None = None) -> tuple[str, int]:
        verdicts = self.after(tamper, checkpoints)
        finding = verdicts["org_a"].finding
        assert finding is not None, "the damage was not found"
        assert verdicts["org_b"].finding is None, "the other chain is whole"
        return finding.damage, finding.index

    def checkpoint(self, n: int = LENGTH) -> Checkpoint:
        with self._database.engine.connect() as connection:
            stored = chains.hash_at(Tx(connection, NOW), "org_a", n)
        assert stored is not None
        return Checkpoint(1, NOW, {"org_a": Head(n, stored)})


@pytest.fixture
def stored(database_url: str) -> Iterator[Stored]:
    async def build() -> None:
        database = Database(database_url)
        both = events(range(1, LENGTH + 1), "org_a") + events(range(1, 4), "org_b")
        await database.write(lambda tx: chains.append(tx, both))
        await database.close()

    asyncio.run(build())
    database = Database(database_url)
    yield Stored(database)
    database.engine.dispose()


def at(table: sa.Table, n: int) -> sa.ColumnElement[bool]:
    return (table.c.organisation == "org_a") & (table.c.n == n)


def entry(tx: Tx, n: int) -> Entry:
    return Entry._make(tx.execute(sa.select(entries).where(at(entries, n))).one())


def put(tx: Tx, n: int, values: Entry) -> None:
    tx.execute(sa.update(entries).where(at(entries, n)).values(**values._replace(n=n)._asdict()))


def recompute_from(tx: Tx, n: int) -> None:
    """What an intruder who knows the formula would do: hash everything again, the head too."""
    before = Head(n - 1, entry(tx, n - 1).hash) if n > 1 else Head()
    last = tx.execute(sa.select(sa.func.max(entries.c.n)).where(entries.c.organisation == "org_a")).scalar_one()
    for index in range(n, last + 1):
        bare = entry(tx, index)._replace(previous=before.hash)
        whole = bare._replace(hash=chain.entry_hash(bare))
        put(tx, index, whole)
        before = Head(index, whole.hash)
    tx.execute(sa.update(heads).where(heads.c.organisation == "org_a").values(n=before.n, hash=before.hash))


def renumber(tx: Tx, table: sa.Table, first: int, by: int) -> None:
    """Shift rows from `first` on; by way of far numbers, for each index may exist only once."""
    mine = table.c.organisation == "org_a"
    tx.execute(sa.update(table).where(mine, table.c.n >= first).values(n=table.c.n + 1000))
    tx.execute(sa.update(table).where(mine, table.c.n >= 1000).values(n=table.c.n - 1000 + by))


def move_head(tx: Tx, n: int) -> None:
    tx.execute(sa.update(heads).where(heads.c.organisation == "org_a").values(n=n, hash=entry(tx, n).hash))


def cut(tx: Tx, last: int) -> None:
    for table in (entries, payloads):
        tx.execute(sa.delete(table).where(table.c.organisation == "org_a", table.c.n > last))


def test_an_untouched_chain_is_whole(stored: Stored) -> None:
    verdicts = stored.after(lambda tx: None, [stored.checkpoint(5), stored.checkpoint()])
    assert {name: (v.entries, v.finding) for name, v in verdicts.items()} == {"org_a": (12, None), "org_b": (3, None)}


@quick
@given(n=indexes, column=st.sampled_from(["previous", "event", "type", "time", "commitment", "hash"]))
def test_an_edited_entry_is_found(stored: Stored, n: int, column: str) -> None:
    value: Any = bytes(31) + b"!" if column in ("previous", "commitment", "hash") else "else"
    edit = sa.update(entries).where(at(entries, n)).values({column: value})
    assert stored.finding(lambda tx: tx.execute(edit)) == ("edited entry", n)


@quick
@given(n=indexes)
def test_an_entry_edited_and_hashed_again_is_found(stored: Stored, n: int) -> None:
    def tamper(tx: Tx) -> None:
        bare = entry(tx, n)._replace(type="else")
        put(tx, n, bare._replace(hash=chain.entry_hash(bare)))

    expected = ("edited entry", n) if n < LENGTH else ("forked head", n)
    assert stored.finding(tamper) == expected


@quick
@given(n=indexes, column=st.sampled_from(["body", "salt"]), at_byte=st.integers(0, 15))
def test_an_edited_payload_is_found(stored: Stored, n: int, column: str, at_byte: int) -> None:
    def tamper(tx: Tx) -> None:
        raw = bytearray(tx.execute(sa.select(payloads.c[column]).where(at(payloads, n))).scalar_one())
        raw[at_byte] ^= 1
        tx.execute(sa.update(payloads).where(at(payloads, n)).values({column: bytes(raw)}))

    assert stored.finding(tamper) == ("edited payload", n)


@quick
@given(n=indexes, whole=st.booleans())
def test_a_payload_emptied_or_removed_without_a_record_is_found(stored: Stored, n: int, whole: bool) -> None:
    emptied = sa.update(payloads).where(at(payloads, n)).values(salt=None, body=None)
    removed = sa.delete(payloads).where(at(payloads, n))
    assert stored.finding(lambda tx: tx.execute(removed if whole else emptied)) == ("removed payload", n)


@quick
@given(n=st.integers(1, LENGTH - 1), closed=st.booleans())
def test_a_removed_entry_is_found(stored: Stored, n: int, closed: bool) -> None:
    def tamper(tx: Tx) -> None:
        for table in (entries, payloads):
            tx.execute(sa.delete(table).where(at(table, n)))
            if closed:
                renumber(tx, table, n + 1, -1)

    assert stored.finding(tamper) == ("removed", n)


@quick
@given(n=indexes)
def test_an_inserted_entry_is_found(stored: Stored, n: int) -> None:
    def tamper(tx: Tx) -> None:
        before = Head(n - 1, entry(tx, n - 1).hash) if n > 1 else Head()
        for table in (entries, payloads):
            renumber(tx, table, n, 1)
        forged = chain.link(
            "org_a", before, event="forged", kind="t", time="now", commitment=chain.commitment(b"s", b"b")
        )
        tx.execute(sa.insert(entries), forged._asdict())
        tx.execute(sa.insert(payloads), {"organisation": "org_a", "n": n, "salt": b"s", "body": b"b"})

    assert stored.finding(tamper) == ("inserted", n)


def test_an_entry_added_behind_the_head_is_found(stored: Stored) -> None:
    def tamper(tx: Tx) -> None:
        last = entry(tx, LENGTH)
        more = chain.link(
            "org_a", Head(LENGTH, last.hash), event="more", kind="t", time="now", commitment=last.commitment
        )
        tx.execute(sa.insert(entries), more._asdict())

    assert stored.finding(tamper) == ("inserted", LENGTH + 1)


@quick
@given(pair=st.sets(indexes, min_size=2, max_size=2))
def test_entries_that_changed_places_are_found(stored: Stored, pair: set[int]) -> None:
    first, second = sorted(pair)

    def tamper(tx: Tx) -> None:
        for table in (entries, payloads):
            for old, new in ((first, 1000), (second, first), (1000, second)):
                tx.execute(sa.update(table).where(at(table, old)).values(n=new))

    assert stored.finding(tamper) == ("reordered", first)


@quick
@given(last=st.integers(1, LENGTH - 1))
def test_a_cut_tail_is_found_by_the_head(stored: Stored, last: int) -> None:
    assert stored.finding(lambda tx: cut(tx, last)) == ("truncated", last + 1)


@quick
@given(last=st.integers(1, LENGTH - 1))
def test_a_cut_tail_with_its_head_moved_is_found_by_a_checkpoint(stored: Stored, last: int) -> None:
    def restored_backup(tx: Tx) -> None:
        cut(tx, last)
        move_head(tx, last)

    checkpoints = [stored.checkpoint(last), stored.checkpoint()]
    assert stored.finding(restored_backup, checkpoints) == ("truncated", last + 1)


@quick
@given(n=indexes)
def test_a_chain_rewritten_with_all_hashes_is_found_by_a_checkpoint(stored: Stored, n: int) -> None:
    def tamper(tx: Tx) -> None:
        tx.execute(sa.update(entries).where(at(entries, n)).values(type="else"))
        recompute_from(tx, n)

    checkpoints = [*([stored.checkpoint(n - 1)] if n > 1 else []), stored.checkpoint()]
    assert stored.finding(tamper, checkpoints) == ("rewritten", n)
    assert stored.after(tamper)["org_a"].finding is None, "without a witness it cannot be seen: the test is a real one"


def test_a_second_head_is_found(stored: Stored) -> None:
    edit = sa.update(heads).where(heads.c.organisation == "org_a").values(hash=b"x" * 32)
    assert stored.finding(lambda tx: tx.execute(edit)) == ("forked head", LENGTH)


def test_all_entries_gone_is_found(stored: Stored) -> None:
    assert stored.finding(lambda tx: cut(tx, 0)) == ("truncated", 1)


def test_rows_of_a_stranger_are_found(stored: Stored) -> None:
    def tamper(tx: Tx) -> None:
        forged = chain.link("org_x", Head(), event="e", kind="t", time="now", commitment=b"c")
        tx.execute(sa.insert(entries), forged._asdict())
        tx.execute(sa.insert(payloads), {"organisation": "org_y", "n": 4, "salt": b"", "body": b""})

    verdicts = stored.after(tamper)
    assert [verdicts[name].finding.damage for name in ("org_x", "org_y")] == ["foreign row"] * 2  # type: ignore[union-attr]
    assert verdicts["org_a"].finding is None


async def test_an_erased_payload_is_reported_and_is_not_damage(database_url: str) -> None:
    database = Database(database_url)
    Outbox(database, "audit")
    batch = events(range(1, 6))
    await database.write(lambda tx: chains.append(tx, batch))
    await database.write(lambda tx: chains.erase(tx, "org_a", batch[2].id, reason="asked for by the person"))
    [verdict] = await database.read(lambda tx: list(inspect(tx)))
    kept = await database.read(lambda tx: tx.execute(sa.select(payloads.c.body).where(at(payloads, 3))).scalar())
    again = await database.write(lambda tx: chains.append(tx, batch))
    await database.close()
    assert (verdict.entries, verdict.erased, verdict.finding, kept, again) == (5, 1, None, None, 0)
