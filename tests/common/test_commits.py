"""Where a group of SQLite's is committed: on the loop while the disk is quick, in a thread when it is not."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from common.commits import Job, OnLoop

from tests.support.disks import SLOW, take


@dataclass
class Group:
    """A transaction whose commit takes as long as it is told, and notes the thread that waited."""

    results: list[Any]
    takes: float
    waited: list[int]
    told: list[list[Any]]

    def commit(self) -> None:
        self.waited.append(threading.get_ident())
        take(self.takes)

    def committed(self) -> None:
        self.told.append(self.results)


@dataclass
class Transactions:
    """A database in memory on a disk that is as slow as the test says."""

    takes: float = 0.0
    waited: list[int] = field(default_factory=list)
    told: list[list[Any]] = field(default_factory=list)
    copied_by: list[int] = field(default_factory=list)
    copied: threading.Event = field(default_factory=threading.Event)

    def open(self, works: Sequence[Callable[..., Any]]) -> Group:
        return Group([work() for work in works], self.takes, self.waited, self.told)

    def patiently(self, works: Sequence[Callable[..., Any]]) -> Group:
        group = self.open(works)
        group.commit()
        return group

    def passing(self, error: BaseException) -> bool:
        return False

    def copy_back(self) -> None:
        self.copied_by.append(threading.get_ident())
        self.copied.set()


@contextlib.asynccontextmanager
async def committing(transactions: Transactions) -> AsyncIterator[OnLoop]:
    writers = OnLoop(transactions)
    yield writers
    await writers.close()


async def commit(writers: OnLoop, work: Callable[[], Any]) -> Any:
    job = Job(work)
    writers.put(job)
    return await asyncio.wait_for(job.future, 10)


async def test_a_quick_disk_is_waited_for_on_the_loop() -> None:
    database = Transactions()
    async with committing(database) as writers:
        assert [await commit(writers, lambda n=n: n) for n in range(5)] == list(range(5))  # type: ignore[misc]
    assert set(database.waited) == {threading.get_ident()}
    assert database.told == [[0], [1], [2], [3], [4]]


async def test_a_slow_disk_is_waited_for_in_a_thread_until_it_is_quick_again() -> None:
    database = Transactions(takes=SLOW)
    async with committing(database) as writers:
        for _ in range(30):
            await commit(writers, int)
        slow = database.waited[-1]
        database.takes = 0.0
        for _ in range(200):
            await commit(writers, int)
    assert slow != threading.get_ident()
    assert database.waited[0] == database.waited[-1] == threading.get_ident()


async def test_who_fails_in_a_group_fails_alone_on_a_slow_disk_too() -> None:
    database = Transactions(takes=SLOW)
    async with committing(database) as writers:
        for _ in range(30):
            await commit(writers, int)
        outcomes = await asyncio.gather(
            *(commit(writers, work) for work in (int, lambda: int("no number"), str)), return_exceptions=True
        )
    assert [type(outcome) for outcome in outcomes] == [int, ValueError, str]


async def test_the_log_is_copied_back_after_a_commit_by_another_thread() -> None:
    database = Transactions()
    async with committing(database) as writers:
        await commit(writers, int)
        assert await asyncio.to_thread(database.copied.wait, 10)
    assert threading.get_ident() not in database.copied_by
