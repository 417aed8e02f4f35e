"""Group commit: what waits together is committed together, and the one that fails, fails alone.

`OnLoop` is for SQLite. Its statements run on the event loop's own thread, where they need no hand-over of the
interpreter; only the waits, for the disk and for a lock, happen in another. `InThreads` is for a database server, whose
every statement is a wait.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from common.disk import Disk
from common.errors import Unavailable

GROUP = 64
"""Most functions that share one commit."""

_COPY_AFTER = 0.25
"""Seconds of commits copied back in one step."""


class Opened(Protocol):
    """A transaction whose statements have run."""

    results: list[Any]

    def commit(self) -> None:
        """Wait until it is durable."""

    def committed(self) -> None:
        """It is: tell who wants to know. On the event loop."""


class Transactions(Protocol):
    """Where the functions are run."""

    def open(self, works: Sequence[Callable[..., Any]]) -> Opened:
        """Run all in one new transaction; when one raises, nothing of it remains."""

    def patiently(self, works: Sequence[Callable[..., Any]]) -> Opened:
        """Open and commit, trying again for some seconds while the database is locked or away."""

    def passing(self, error: BaseException) -> bool:
        """Whether the same may work in a moment."""

    def copy_back(self) -> None:
        """Move what the log holds to its place, beside the writer."""


class Job:
    """One function on its way to a commit, and who waits for it."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self.work = work
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def settle(self, outcome: Any) -> None:
        """Give the result, or raise it, to who waits. On the event loop."""
        if self.future.done():
            return
        if isinstance(outcome, BaseException):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Writers(Protocol):
    """Takes jobs, in order."""

    def put(self, job: Job) -> None:
        """Commit it soon."""

    async def close(self) -> None:
        """Return when all that was put is settled."""


class OnLoop:
    """One group at a time; while its commit waits for the disk the next gathers.

    The log is copied back in small steps beside it: left to a commit, that would hold it, and the loop, up.
    """

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._jobs: deque[Job] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._disk = Disk()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="db-disk")
        self._copier = ThreadPoolExecutor(1, thread_name_prefix="db-copier")
        self._copying: asyncio.Task[None] | None = None

    def put(self, job: Job) -> None:
        """Commit it soon."""
        self._jobs.append(job)
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve())

    async def close(self) -> None:
        """Return when all that was put is settled."""
        while self._serving is not None and not self._serving.done():
            await asyncio.wait({self._serving})
        if self._copying is not None:
            self._copying.cancel()
        self._copier.shutdown(wait=True)
        self._thread.shutdown(wait=True)

    async def _serve(self) -> None:
        while self._jobs:
            group = [self._jobs.popleft() for _ in range(min(GROUP, len(self._jobs)))]
            for job, outcome in await self._outcomes(group):
                job.settle(outcome)
            if self._copying is None or self._copying.done():
                self._copying = asyncio.create_task(self._copy_back())
            await asyncio.sleep(0)  # whoever was answered may ask for more, and others have their turn

    async def _outcomes(self, group: list[Job]) -> list[tuple[Job, Any]]:
        loop = asyncio.get_running_loop()
        told: list[Opened] = []
        try:
            opened = self._transactions.open([job.work for job in group])
            if self._disk.quick:
                self._commit(opened)
            else:
                await loop.run_in_executor(self._thread, self._commit, opened)
        except Exception as error:
            outcomes = await loop.run_in_executor(self._thread, self._again, group, error, told)
        else:
            told.append(opened)
            outcomes = list(zip(group, opened.results, strict=True))
        for opened in told:
            opened.committed()
        return outcomes

    async def _copy_back(self) -> None:
        """Some time after a commit, with whatever followed it."""
        await asyncio.sleep(_COPY_AFTER)
        await asyncio.get_running_loop().run_in_executor(self._copier, self._transactions.copy_back)

    def _commit(self, opened: Opened) -> None:
        with self._disk.waiting():
            opened.commit()

    def _again(self, group: list[Job], error: Exception, told: list[Opened]) -> list[tuple[Job, Any]]:
        """The whole group when another process had the lock; there is one lock, so no two groups can meet twice."""
        if self._transactions.passing(error):
            try:
                told.append(self._transactions.patiently([job.work for job in group]))
            except Unavailable as away:
                return [(job, away) for job in group]
            except Exception as again:
                error = again
            else:
                return list(zip(group, told[0].results, strict=True))
        return _once_more(self._transactions, group, error, told)


class InThreads:
    """Several writers, each with a connection and a group of its own."""

    def __init__(self, transactions: Transactions, count: int) -> None:
        self._transactions, self._count = transactions, count
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def put(self, job: Job) -> None:
        """Commit it soon."""
        while len(self._threads) < self._count:
            thread = threading.Thread(target=self._serve, name="db-write", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._jobs.put(job)

    async def close(self) -> None:
        """Return when all that was put is settled."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._threads.clear()

    def _serve(self) -> None:
        while group := self._wait_for_group():
            told: list[Opened] = []
            try:
                opened = self._transactions.open([job.work for job in group])
                opened.commit()
            except Exception as error:
                outcomes = _once_more(self._transactions, group, error, told)
            else:
                told.append(opened)
                outcomes = list(zip(group, opened.results, strict=True))
            group[0].future.get_loop().call_soon_threadsafe(_tell, told, outcomes)

    def _wait_for_group(self) -> list[Job]:
        first = self._jobs.get()
        if first is None:
            return []
        group = [first]
        while len(group) < GROUP:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)
                break
            group.append(job)
        return group


def _tell(told: list[Opened], outcomes: list[tuple[Job, Any]]) -> None:
    for opened in told:
        opened.committed()
    for job, outcome in outcomes:
        job.settle(outcome)


def _once_more(
    transactions: Transactions, group: list[Job], error: Exception, told: list[Opened]
) -> list[tuple[Job, Any]]:
    """Each alone, so that only the guilty one hears of it; what was committed is added to `told`.

    Alone even when it was only a lock: two groups that want the same rows in different order would meet again.
    """
    if len(group) == 1 and not transactions.passing(error):
        return [(group[0], error)]
    return [(job, _alone(transactions, job, told)) for job in group]


def _alone(transactions: Transactions, job: Job, told: list[Opened]) -> Any:
    try:
        opened = transactions.patiently([job.work])
    except Exception as error:
        return error
    told.append(opened)
    return opened.results[0]
