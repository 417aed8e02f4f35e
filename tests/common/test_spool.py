"""The local spool: durable before it answers, dense, given out again when the broker forgot."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import orjson
import pytest
from common.catalogue.messages import SmsStatusReported
from common.errors import Unavailable
from common.relay import RETENTION, Row
from common.spool import Spool, SpoolFile, claim
from common.spool.file import Mark
from common.spool.seen import IN_MEMORY


def an_event(n: int) -> SmsStatusReported:
    return SmsStatusReported.first(
        "org",
        key=str(n),
        route="rt",
        attempt="att",
        account="AC",
        provider="some",
        provider_id=f"SM{n}",
        status="sent",
        error_code="x" * 200,
    )


@asynccontextmanager
async def a_spool(folder: Path) -> AsyncIterator[Spool]:
    spool = Spool(claim(folder, "edge"))
    try:
        yield spool
    finally:
        await spool.close()


async def all_rows(spool: Spool) -> list[Row]:
    rows: list[Row] = []
    while taken := await spool.take(256, 0.01):
        rows += taken
    return rows


def stored(folder: Path, slot: int = 0) -> list[tuple[int, str]]:
    db = sqlite3.connect(folder / f"spool-{slot}.db")
    try:
        return db.execute("SELECT seq, id FROM rows ORDER BY seq").fetchall()
    finally:
        db.close()


@contextmanager
def a_full_disk(limit: int) -> Iterator[None]:
    """No file of this process may grow beyond `limit` bytes: the kernel refuses the write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_what_is_appended_is_on_disk_before_the_answer(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        assert await spool.append(an_event(1))
        assert stored(tmp_path) == [(1, an_event(1).id)]


async def test_many_appended_at_once_have_a_dense_sequence_in_order(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        assert all(await asyncio.gather(*(spool.append(an_event(n)) for n in range(500))))
        rows = await all_rows(spool)
    assert [row.seq for row in rows] == list(range(1, 501))
    assert [row.id for row in rows] == [an_event(n).id for n in range(500)]
    assert [int(orjson.loads(row.body)["sequence"]) for row in rows] == list(range(1, 501))


async def test_a_repeat_is_noticed_and_leaves_no_gap(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        await spool.append(an_event(1))
        news = await asyncio.gather(*(spool.append(an_event(n)) for n in (1, 2, 2, 1, 3)))
        assert news == [False, True, False, False, True]
        assert [row.seq for row in await all_rows(spool)] == [1, 2, 3]


async def test_an_event_that_cannot_be_stored_fails_alone(tmp_path: Path) -> None:
    broken = an_event(2).model_copy(update={"error_code": object()})
    async with a_spool(tmp_path) as spool:
        outcomes = await asyncio.gather(
            *(spool.append(event) for event in (an_event(1), broken, an_event(3))), return_exceptions=True
        )
        assert [isinstance(one, Exception) for one in outcomes] == [False, True, False]
        assert [row.seq for row in await all_rows(spool)] == [1, 2]


async def test_published_rows_are_not_given_out_again_after_a_restart(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        for n in range(3):
            await spool.append(an_event(n))
        await spool.forget_beyond("one", 0)
        rows = await all_rows(spool)
        await spool.acknowledged(rows[:2], "one", 2)
    async with a_spool(tmp_path) as spool:
        assert [row.seq for row in await all_rows(spool)] == [3]


async def test_the_position_is_written_down_without_another_append(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        await spool.append(an_event(1))
        await spool.acknowledged(await all_rows(spool), "one", 1)
        async with asyncio.timeout(5):
            while position(tmp_path) != 1:  # noqa: ASYNC110 - the file tells nobody
                await asyncio.sleep(0.01)


def position(folder: Path) -> int:
    db = sqlite3.connect(folder / "spool-0.db")
    try:
        return int(db.execute("SELECT position FROM meta").fetchone()[0])
    finally:
        db.close()


@pytest.mark.parametrize(("incarnation", "last_seq"), [("two", 900), ("one", 1)])
async def test_a_broker_that_forgot_is_given_everything_again(tmp_path: Path, incarnation: str, last_seq: int) -> None:
    async with a_spool(tmp_path) as spool:
        for n in range(3):
            await spool.append(an_event(n))
        await spool.acknowledged(await all_rows(spool), "one", 3)
        assert await spool.forget_beyond("one", 3) == 0
        assert await spool.forget_beyond(incarnation, last_seq) == 3
        await spool.append(an_event(9))
        assert [row.seq for row in await all_rows(spool)] == [1, 2, 3, 4]


async def test_rows_acknowledged_out_of_turn_do_not_hide_a_replay(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        for n in range(4):
            await spool.append(an_event(n))
        first, held = await spool.take(2, 1), await spool.take(2, 1)
        await spool.acknowledged(first, "one", 2)
        await spool.forget_beyond("two", 0)
        await spool.acknowledged(held, "two", 2)
        assert [row.seq for row in await all_rows(spool)] == [1, 2, 3, 4]


async def test_more_than_memory_holds_is_read_back_from_the_file(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        for start in range(0, 21_000, 3000):
            await asyncio.gather(*(spool.append(an_event(n)) for n in range(start, start + 3000)))
        assert [row.seq for row in await all_rows(spool)] == list(range(1, 21_001))


async def test_the_backlog_is_counted_with_the_age_of_its_oldest_row(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        assert await spool.backlog() == (0, 0.0)
        await spool.append(an_event(1))
        await spool.append(an_event(2))
        await spool.acknowledged(await spool.take(1, 1), "one", 1)
        rows, age = await spool.backlog()
        assert rows == 1
        assert 0 <= age < 30


async def test_each_instance_has_a_file_and_a_producer_name_of_its_own(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as one, a_spool(tmp_path) as two:
        assert one.producer != two.producer
        await one.append(an_event(1))
        await two.append(an_event(2))
        assert (len(stored(tmp_path, 0)), len(stored(tmp_path, 1))) == (1, 1)


async def test_a_file_keeps_its_producer_name_when_another_takes_it(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        first = spool.producer
    async with a_spool(tmp_path) as spool:
        assert spool.producer == first
    assert first.startswith("edge-0-")


async def test_a_full_disk_is_said_and_its_end_is_noticed(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        await spool.append(an_event(0))
        with a_full_disk(4096):
            with pytest.raises(Unavailable, match="cannot commit"):
                await spool.append(an_event(1))
            with pytest.raises(Unavailable):
                await spool.ping()
        await spool.ping()
        assert await spool.append(an_event(1))
        assert [row.seq for row in await all_rows(spool)] == [1, 2]


async def test_old_published_rows_are_pruned_and_the_sequence_goes_on(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        await asyncio.gather(*(spool.append(an_event(n)) for n in range(1200)))
        rows = await all_rows(spool)
        await spool.acknowledged(rows[:1100], "one", 1100)
    db = sqlite3.connect(tmp_path / "spool-0.db")
    db.execute("UPDATE rows SET created_at = created_at - ?", (int(RETENTION.total_seconds() * 1e6) + 1,))
    db.commit()
    db.close()
    async with a_spool(tmp_path) as spool:
        await spool.prune()
        assert [row[0] for row in stored(tmp_path)] == list(range(1101, 1201))
        await spool.acknowledged(await all_rows(spool), "one", 1200)
        await spool.append(an_event(5000))
        assert (await all_rows(spool))[-1].seq == 1201


async def test_the_sequence_goes_on_when_every_row_was_pruned(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        await spool.append(an_event(1))
        await spool.acknowledged(await all_rows(spool), "one", 1)
    db = sqlite3.connect(tmp_path / "spool-0.db")
    db.execute("UPDATE rows SET created_at = 0")
    db.commit()
    db.close()
    async with a_spool(tmp_path) as spool:
        await spool.prune()
    async with a_spool(tmp_path) as spool:
        await spool.append(an_event(2))
        assert stored(tmp_path) == [(2, an_event(2).id)]


def test_the_log_is_copied_back_beside_the_appends(tmp_path: Path) -> None:
    file = claim(tmp_path, "edge")
    file.store([an_event(n) for n in range(10)], None)
    file.copy_back()
    without_log = sqlite3.connect(f"file:{file.path}?immutable=1", uri=True)
    try:
        assert without_log.execute("SELECT count(*) FROM rows").fetchone() == (10,)
    finally:
        without_log.close()
        file.close()


MANY = (IN_MEMORY // 100 + 20) * 100


def fill(file: SpoolFile) -> None:
    """More events than there are ids in memory, in groups as under load."""
    for start in range(0, MANY, 100):
        file.store([an_event(n) for n in range(start, start + 100)], None)


def new(file: SpoolFile, numbers: range) -> int:
    """How many of these events are really added."""
    return sum(row is not None for row in file.store([an_event(n) for n in numbers], None))


def in_table(folder: Path) -> int:
    db = sqlite3.connect(folder / "spool-0.db")
    try:
        return int(db.execute("SELECT count(*) FROM ids").fetchone()[0])
    finally:
        db.close()


def make_old(folder: Path) -> None:
    db = sqlite3.connect(folder / "spool-0.db")
    db.execute("UPDATE rows SET created_at = 0")
    db.execute("UPDATE meta SET position = last")
    db.commit()
    db.close()


def test_a_repeat_is_noticed_wherever_its_id_waits_and_after_a_restart(tmp_path: Path) -> None:
    file = claim(tmp_path, "edge")
    fill(file)
    assert 0 < in_table(tmp_path) < MANY
    assert new(file, range(MANY)) == 0
    file.close()
    file = claim(tmp_path, "edge")
    assert new(file, range(MANY + 1)) == 1
    file.close()


def test_no_id_is_lost_when_the_disk_refuses_a_group(tmp_path: Path) -> None:
    file = claim(tmp_path, "edge")
    fill(file)
    written = in_table(tmp_path)
    with a_full_disk(4096), pytest.raises(sqlite3.OperationalError):
        new(file, range(MANY, MANY + 100))
    assert in_table(tmp_path) == written
    assert new(file, range(MANY + 100)) == 100
    for start in range(MANY + 100, 3 * MANY, 100):
        file.store([an_event(n) for n in range(start, start + 100)], None)
    file.close()
    file = claim(tmp_path, "edge")
    assert new(file, range(3 * MANY)) == 0
    file.close()


def test_pruned_ids_are_forgotten_in_memory_and_in_the_table(tmp_path: Path) -> None:
    file = claim(tmp_path, "edge")
    fill(file)
    file.store([], Mark(MANY, "one", MANY))
    make_old(tmp_path)
    while file.prune():
        pass
    assert in_table(tmp_path) == 0
    assert new(file, range(MANY)) == MANY
    file.close()


async def test_an_append_waits_for_somebody_else_who_writes_to_the_file(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        other = sqlite3.connect(tmp_path / "spool-0.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        appending = spool.append(an_event(1))
        assert not (await asyncio.wait([appending], timeout=0.05))[0]
        other.execute("ROLLBACK")
        other.close()
        assert await asyncio.wait_for(appending, 10)


async def test_appends_and_looks_at_the_file_do_not_meet(tmp_path: Path) -> None:
    async with a_spool(tmp_path) as spool:
        for start in range(0, 300, 10):
            await asyncio.gather(
                spool.ping(),
                *(spool.append(an_event(n)) for n in range(start, start + 10)),
                spool.backlog(),
                spool.prune(),
            )
        assert [row.seq for row in await all_rows(spool)] == list(range(1, 301))
