"""Appends events durably and hands them to the relay. Says `Unavailable` when the disk does not take them."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import structlog

from common.disk import Disk
from common.errors import Unavailable
from common.messages import Event
from common.relay import Row
from common.spool.file import Busy, Mark, SpoolFile

GROUP = 128
"""Most events of one commit."""

_MEMORY = 20_000
"""Rows held for the relay in memory; more are read back from the file."""

_MARK_AFTER = 0.1
"""Seconds an acknowledgement may wait for an append to be written with; a crash only publishes those rows again."""

_COPY_BACK = 0.1
"""Seconds between two looks for pages of the log that can go to their places."""

_COPY_AFTER = 20
"""Rows that make a copy worth its waits for the disk. Many more at once held up the commits beside it."""

_HOUSEKEEPING = 600.0

T = TypeVar("T")
P = ParamSpec("P")
Waiting = tuple[Event, "asyncio.Future[bool]"]
log = structlog.get_logger()


class Spool:
    """A `relay.Source` that anyone on the loop may append to. It commits whatever waits, one group after another."""

    def __init__(self, file: SpoolFile) -> None:
        self.producer = file.producer
        self.drained = asyncio.Event()
        self._file = file
        self._loop = asyncio.get_running_loop()
        self._disk = Disk()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._copier = ThreadPoolExecutor(1, thread_name_prefix="spool-copier")
        self._last_work: Future[Any] = Future()
        self._last_work.set_result(None)
        self._waiting: list[Waiting] = []
        self._singly = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._last = file.last
        self._mark = file.mark
        self._mark_due = False
        self._given = file.mark.position
        self._checked = False
        self._fresh: deque[Row] = deque(maxlen=_MEMORY)
        self._wake = asyncio.Event()
        self._mark_timer: asyncio.TimerHandle | None = None

    # for the edge

    def append(self, event: Event) -> asyncio.Future[bool]:
        """Durable once awaited; False when the same id was there already. `Unavailable` when it is not durable."""
        future: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append((event, future))
        self._write_soon()
        return future

    async def ping(self) -> None:
        """For health: a real write, committed."""
        try:
            await self._in_thread(self._file.probe)
        except sqlite3.Error as error:
            raise _unavailable(error) from error

    async def housekeeping(self) -> None:
        """Prune for ever."""
        while True:
            await self.prune()
            await asyncio.sleep(_HOUSEKEEPING)

    async def copy_back(self) -> None:
        """Keep the file's log short for ever, beside the appends."""
        copied = self._last
        while True:
            await asyncio.sleep(_COPY_BACK)
            if self._last >= copied + _COPY_AFTER:
                copied = self._last
                await asyncio.wrap_future(self._copier.submit(self._file.copy_back))

    async def prune(self) -> None:
        """Delete what was published and kept long enough, in steps that delay no append for long."""
        while await self._in_thread(self._file.prune):
            pass

    async def close(self) -> None:
        """Finish what was asked, then let go of the file."""
        while self._waiting or not self._idle.is_set():
            await self._idle.wait()
        if self._mark_timer is not None:
            self._mark_timer.cancel()
        self._copier.shutdown()
        with contextlib.suppress(sqlite3.Error):
            await self._in_thread(self._file.store, [], self._mark)
        await self._in_thread(self._file.close)
        self._thread.shutdown()

    # for the relay

    async def take(self, limit: int, timeout: float) -> Sequence[Row]:
        """Rows the broker does not have, in order; empty when none came for `timeout` seconds."""
        if self._given >= self._last:
            self._wake.clear()
            # Not `wait_for`: before Python 3.12 it swallows a cancellation that meets a wake-up.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
        while self._fresh and self._fresh[0].seq <= self._given:
            self._fresh.popleft()
        missing = (self._fresh[0].seq if self._fresh else self._last + 1) - self._given - 1
        if missing:
            rows = await self._in_thread(self._file.read, self._given, min(limit, missing))
        else:
            rows = [self._fresh.popleft() for _ in range(min(limit, len(self._fresh)))]
        if rows:
            self._given = rows[-1].seq
        return rows

    async def acknowledged(self, rows: Sequence[Row], incarnation: str, last_seq: int) -> None:
        """Remember how far the broker is. Rows out of turn change nothing: a replay gives them again."""
        if rows[0].seq <= self._mark.position + 1 <= rows[-1].seq:
            self._set_mark(Mark(rows[-1].seq, incarnation, max(last_seq, self._mark.stream_seq)))

    async def forget_beyond(self, incarnation: str, last_seq: int) -> int:
        """Go back to the oldest row kept when the broker is another, or ends before what it acknowledged."""
        lost = 0
        if self._mark.position and (self._mark.incarnation != incarnation or self._mark.stream_seq > last_seq):
            oldest = await self._in_thread(self._file.first)
            start = oldest[0] - 1 if oldest else self._last
            lost = self._mark.position - start
            self._given = start
            self._set_mark(Mark(start, incarnation, 0))
        self._checked = True
        self._note_drained()
        return max(0, lost)

    async def backlog(self) -> tuple[int, float]:
        """Rows the broker does not have, and the age of the oldest in seconds."""
        rows = self._last - self._mark.position
        oldest = await self._in_thread(self._file.first, self._mark.position) if rows else None
        return rows, oldest[1] if oldest else 0.0

    # the one writer

    def _write_soon(self) -> None:
        """After the callbacks that are ready now, so that they share the commit."""
        if self._idle.is_set():
            self._idle.clear()
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        """Work out the next group here and leave only the wait for the disk to the thread: with the statements there
        too, the two of them would spend their time handing the interpreter over.
        """
        size = 1 if self._singly else GROUP
        self._singly -= bool(self._singly)
        group, self._waiting = self._waiting[:size], self._waiting[size:]
        events, mark = [event for event, _ in group], self._mark_if_due()
        if not self._last_work.done():
            self._run(self._file.store, group, events, mark)
            return
        try:
            self._file.begin(events, mark)
        except Busy:
            self._run(self._file.store, group, events, mark)
        except Exception as error:
            self._failed(group, error)
        else:
            if self._disk.quick:
                self._commit_here(group)
            else:
                self._run(self._commit, group)

    def _commit(self) -> list[Row | None]:
        with self._disk.waiting():
            return self._file.commit()

    def _commit_here(self, group: list[Waiting]) -> None:
        try:
            rows = self._commit()
        except Exception as error:
            self._failed(group, error)
        else:
            self._next()
            self._settle(group, rows)

    def _run(
        self, work: Callable[P, list[Row | None]], group: list[Waiting], /, *args: P.args, **kwargs: P.kwargs
    ) -> None:
        def hand_back(done: Future[list[Row | None]]) -> None:
            self._loop.call_soon_threadsafe(self._written_down, group, done)

        self._submit(work, *args, **kwargs).add_done_callback(hand_back)

    def _written_down(self, group: list[Waiting], done: Future[list[Row | None]]) -> None:
        error = done.exception()
        if error is not None:
            self._failed(group, error)
            return
        self._next()
        self._settle(group, done.result())

    def _failed(self, group: list[Waiting], error: BaseException) -> None:
        """The disk refuses everybody; what fails for another reason fails alone."""
        if isinstance(error, sqlite3.Error):
            log.error("spool_not_written", error=repr(error), events=len(group))
            self._settle(group, [_unavailable(error)] * len(group))
        elif len(group) == 1:
            self._settle(group, [error])
        else:
            self._waiting, self._singly = group + self._waiting, self._singly + len(group)
        self._next()

    def _next(self) -> None:
        self._idle.set()
        if self._waiting:
            self._write_soon()

    def _settle(self, group: list[Waiting], outcomes: Sequence[Row | BaseException | None]) -> None:
        for (_, future), outcome in zip(group, outcomes, strict=True):
            if isinstance(outcome, Row):
                self._fresh.append(outcome)
                self._last = outcome.seq
            if future.done():
                continue
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome is not None)
        if self._given < self._last:
            self.drained.clear()
            self._wake.set()

    def _mark_if_due(self) -> Mark | None:
        """Written with an append after a pause, so that it seldom costs a commit of its own."""
        if not self._mark_due:
            return None
        self._mark_due = False
        return self._mark

    def _set_mark(self, mark: Mark) -> None:
        self._mark = mark
        self._note_drained()
        if self._mark_timer is None and not self._mark_due:
            self._mark_timer = self._loop.call_later(_MARK_AFTER, self._write_mark)

    def _write_mark(self) -> None:
        self._mark_timer, self._mark_due = None, True
        self._write_soon()

    def _note_drained(self) -> None:
        if self._checked and self._mark.position >= self._last:
            self.drained.set()

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.wrap_future(self._submit(work, *args, **kwargs))

    def _submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """In turn, in the thread. Until it is done, nobody else may touch the file."""
        done = self._thread.submit(work, *args, **kwargs)
        self._last_work = done
        return done


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(f"the spool cannot commit: {error}", code="spool", retry_after=5.0)
