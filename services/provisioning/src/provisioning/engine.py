"""Runs sagas to their end, whatever fails and whoever dies.

The journal marks each step before and after. One worker at a time holds a saga, by a lease with a fencing token; a
crashed one's saga is taken over.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any, TypeVar

import structlog
from common import ids
from common.crash import crash
from common.db import Database
from common.errors import NotFound, Rejected, SwitchboardError
from pydantic import TypeAdapter

from provisioning.saga import Policy, Run, Saga
from provisioning.store import sagas
from provisioning.store.sagas import LeaseLost

O = TypeVar("O")  # noqa: E741 - an order, as in `saga.py`

log = structlog.get_logger()


class Engine:
    """Runs sagas: `advance` one as far as it goes now, `run` all that are due, `ended` to wait for one."""

    def __init__(self, database: Database, known: list[Saga[Any]], policy: Policy) -> None:
        self._database, self._policy = database, policy
        self._sagas = {saga.name: saga for saga in known}
        self._forms: dict[str, TypeAdapter[Any]] = {saga.name: TypeAdapter(saga.order) for saga in known}
        self._me = ids.random("engine")
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()

    def wire(self, kind: str, order: Any) -> str:
        """The order as `sagas.begin` stores it."""
        return self._forms[kind].dump_json(order).decode()

    def read(self, kind: str, wish: str) -> Any:
        """The order as a saga's row has it."""
        return self._forms[kind].validate_json(wish)

    # running

    async def run(self, every: float = 0.5, at_once: int = 32) -> None:
        """Go on with every saga that is due, for ever; what other workers left too."""
        try:
            while True:
                self._wake.clear()
                if len(self._tasks) < at_once:
                    for saga in await self._database.read(lambda tx: sagas.due(tx, at_once)):
                        self._start(saga)
                await _within(every, self._wake.wait())
        finally:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def ended(self, saga: str, seconds: float) -> sagas.Row:
        """The saga's row once it has ended, or as it stands after so many seconds."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            self._wake.set()
            row = await self._database.read(lambda tx: sagas.find(tx, saga))
            left = deadline - asyncio.get_running_loop().time()
            if row is None:
                raise NotFound(f"there is no saga {saga}")
            if row["state"] not in sagas.LIVE or row["stuck"] or left <= 0:
                return row
            task = self._tasks.get(saga)
            await (asyncio.wait({task}, timeout=min(left, 0.25)) if task else asyncio.sleep(min(left, 0.05)))

    def _start(self, saga: str) -> None:
        if saga not in self._tasks:
            task = asyncio.create_task(self._attempt(saga), name=f"saga-{saga}")
            self._tasks[saga] = task
            task.add_done_callback(lambda _: self._tasks.pop(saga, None))

    async def _attempt(self, saga: str) -> None:
        try:
            await self.advance(saga)
        except Exception:
            log.exception("saga_interrupted", saga=saga)

    async def advance(self, saga: str) -> None:
        """Take the lease and go as far as it goes now. Does nothing for a saga that is not due, or held elsewhere."""
        held = await self._database.write(lambda tx: sagas.take(tx, saga, self._me, self._policy.lease))
        if held is None:
            return
        description, form = self._sagas[held.kind], self._forms[held.kind]
        run = Run(self._database, held, form.validate_json(held.wish), self._policy.lease, form)
        renewing = asyncio.create_task(run.renew(max(0.05, self._policy.lease.total_seconds() / 3)))
        try:
            await self._drive(description, run)
        except LeaseLost:
            log.warning("saga_lease_lost", saga=saga)
        except asyncio.CancelledError:
            await run.let_go()
            raise
        finally:
            renewing.cancel()

    async def _drive(self, saga: Saga[O], run: Run[O]) -> None:
        if run.state == "running":
            await self._forward(saga, run)
        if run.state == "undoing":
            await self._backward(saga, run)

    async def _forward(self, saga: Saga[O], run: Run[O]) -> None:
        while run.position < len(saga.steps):
            step = saga.steps[run.position]
            await run.mark(step.name, "again" if run.started else "begun", started=True)
            try:
                order = await step.do(run.order, run)
            except LeaseLost:
                raise
            except Exception as error:
                return await self._failed(saga, run, step.name, error)
            await run.advance(step.name, order)
        await run.end("completed", lambda tx: saga.completed(tx, run.order))
        crash("p10")
        return None

    async def _failed(self, saga: Saga[O], run: Run[O], step: str, error: Exception) -> None:
        """Turn round when asking again cannot help or has not helped; else try later."""
        code, reason = _told(error, run.saga)
        hopeless = isinstance(error, Rejected) or run.tries + 1 >= self._policy.give_up_after
        if saga.undone is None or not hopeless:
            return await self._postpone(saga, run, step, reason, error)
        back = {"position": run.position + 1, "started": False, "tries": 0}
        await run.mark(step, "failed", reason, state="undoing", code=code, reason=reason, **back)
        return None

    async def _backward(self, saga: Saga[O], run: Run[O]) -> None:
        """Undo from the last step begun to the first; `position` is how many are left."""
        while run.position > 0:
            step = saga.steps[run.position - 1]
            if step.undo:
                await run.mark(step.name, "undoing")
                try:
                    await step.undo(run.order, run)
                except LeaseLost:
                    raise
                except Exception as error:
                    return await self._postpone(saga, run, step.name, _told(error, run.saga)[1], error)
            await run.mark(step.name, "undone", position=run.position - 1, tries=0, stuck=False)
        undone = saga.undone or (lambda *_: None)
        await run.end("undone", lambda tx: undone(tx, run.order, run.code, run.reason))
        return None

    async def _postpone(self, saga: Saga[O], run: Run[O], step: str, reason: str, error: Exception) -> None:
        tries = run.tries + 1
        alarm = (
            (lambda tx: saga.stuck(tx, run.order, f"{step}: {reason}")) if tries == self._policy.stuck_after else None
        )
        log.warning("saga_waits", saga=run.saga, step=step, tries=tries, reason=reason)
        await run.later(step, reason, self._policy.pause(tries, error), alarm)


def _told(error: Exception, saga: str) -> tuple[str, str]:
    """Code and reason of a failure; a bug keeps its traceback in the log and out of the journal."""
    if isinstance(error, SwitchboardError):
        return error.code, error.detail
    log.error("saga_step_broke", saga=saga, exc_info=error)
    return "internal", "something failed on our side; it is logged"


async def _within(seconds: float, waiting: Awaitable[Any]) -> None:
    """Not `asyncio.wait_for`: before Python 3.12 it swallows a cancellation that meets what is waited for."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waiting
