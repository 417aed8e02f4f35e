"""What a saga is: steps with their undos, what becomes true at its end, and the hold of a worker on it.

It knows no number and no domain; `engine.py` runs it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from common.db import Database, Tx
from common.errors import Unavailable
from pydantic import TypeAdapter

from provisioning.store import sagas
from provisioning.store.sagas import Held, LeaseLost

O = TypeVar("O")  # noqa: E741 - an order, as everywhere in this module
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Policy:
    """Patience: the lease, the pauses between tries, and when to give up or to call a person."""

    lease: timedelta = timedelta(seconds=15)
    pause_first: float = 0.2
    pause_most: float = 30.0
    give_up_after: int = 8
    """Failed tries of one step before everything is undone."""
    stuck_after: int = 8
    """Failed tries of an undo (or of a step that has none) before an alert; it is tried on for ever."""

    def pause(self, tries: int, error: Exception) -> timedelta:
        """How long to wait before try number `tries + 1`, or as long as the other side asks."""
        backoff = min(self.pause_first * 2.0 ** (tries - 1), self.pause_most)
        asked = error.retry_after if isinstance(error, Unavailable) and tries > 1 else 0.0
        return timedelta(seconds=max(backoff, asked))


@dataclass(frozen=True, slots=True)
class Step(Generic[O]):
    """One thing to do. It may be run again after a crash or an error, so it looks before it acts.

    The undo is content to find nothing to undo.
    """

    name: str
    do: Callable[[O, Run[O]], Awaitable[O]]
    undo: Callable[[O, Run[O]], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Saga(Generic[O]):
    """What there is to do, top to bottom, and what becomes true, in one transaction, when it has ended."""

    name: str
    order: type[O]
    steps: list[Step[O]]
    completed: Callable[[Tx, O], None]
    undone: Callable[[Tx, O, str, str], None] | None
    """Given the code and reason of the failure. None: there is no way back, every step is tried until it works."""
    stuck: Callable[[Tx, O, str], None]


class Run(Generic[O]):
    """A saga under lease: every write proves that the lease is still ours."""

    def __init__(self, database: Database, held: Held, order: O, lease: timedelta, form: TypeAdapter[O]) -> None:
        self._database, self._lease, self._form = database, lease, form
        self._fence = held.fence
        self.saga, self.order = held.id, order
        self.state, self.position, self.started = held.state, held.position, held.started
        self.tries, self.code, self.reason = held.tries, held.code, held.reason

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Commit `work`, if the saga is still ours."""
        return await self._fenced(work)

    async def keep(self, order: O, work: Callable[[Tx], T]) -> T:
        """Commit `work` and, unless it answers False, what the order is now, before the step goes on."""

        def both(tx: Tx) -> T:
            result = work(tx)
            if result is not False:
                sagas.change(tx, self.saga, self._fence, self._lease, wish=self._wire(order))
            return result

        result = await self._fenced(both)
        if result is not False:
            self.order = order
        return result

    async def mark(self, step: str, mark: str, detail: str = "", **values: Any) -> None:
        """Note what happened to a step, with the saga's new state."""
        await self._fenced(lambda tx: sagas.note(tx, self.saga, step, mark, detail), **values)
        for name, value in values.items():
            if hasattr(self, name):
                setattr(self, name, value)

    async def advance(self, step: str, order: O) -> None:
        """The step in hand is done."""
        await self.mark(step, "done", position=self.position + 1, started=False, tries=0, wish=self._wire(order))
        self.order = order

    async def end(self, state: str, work: Callable[[Tx], None]) -> None:
        """Commit the end of the saga with its consequences."""

        def finish(tx: Tx) -> None:
            sagas.change(tx, self.saga, self._fence, self._lease, ended_at=tx.now)
            sagas.note(tx, self.saga, "saga", state, self.reason)
            work(tx)

        await self._fenced(finish, state=state, owner=None, stuck=False)

    async def later(self, step: str, error: str, pause: timedelta, alarm: Callable[[Tx], None] | None) -> None:
        """Let go of the saga until `pause` is over."""

        def postpone(tx: Tx) -> None:
            sagas.change(tx, self.saga, self._fence, self._lease, next_try_at=tx.now + pause)
            sagas.note(tx, self.saga, step, "waits", error)
            if alarm:
                alarm(tx)

        stuck = {"stuck": True} if alarm else {}
        await self._fenced(postpone, tries=self.tries + 1, owner=None, **stuck)

    async def let_go(self) -> None:
        """Give the lease back at once, for another worker."""
        await self._fenced(lambda tx: None, owner=None)

    async def renew(self, every: float) -> None:
        """Keep the lease while a step takes its time; ends when it is lost."""
        with contextlib.suppress(LeaseLost):
            while True:
                await asyncio.sleep(every)
                with contextlib.suppress(Unavailable):
                    await self._fenced(lambda tx: None)

    async def _fenced(self, work: Callable[[Tx], T], **values: Any) -> T:
        """`LeaseLost` before anything else; the change that gives the lease away comes last."""

        def guarded(tx: Tx) -> T:
            sagas.change(tx, self.saga, self._fence, self._lease)
            result = work(tx)
            if values:
                sagas.change(tx, self.saga, self._fence, self._lease, **values)
            return result

        return await self._database.write(guarded)

    def _wire(self, order: O) -> str:
        return self._form.dump_json(order).decode()
