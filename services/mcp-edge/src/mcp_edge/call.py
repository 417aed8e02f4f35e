"""One carried-out request: who asks, on whose behalf, and the way to the services that decide."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import structlog
from common import ids
from common.errors import SwitchboardError, Unavailable
from common.messages import Order, Query
from pydantic import BaseModel

from mcp_edge.principal import Principal
from mcp_edge.tool import Arguments, Run
from mcp_edge.wakeups import Nudge, Wakeups

R = TypeVar("R", bound=BaseModel)

log = structlog.get_logger()

Progress = Callable[[float, float, str], Awaitable[None]]
"""Tell the caller how far it is: done, of how much, in words."""


class Asker(Protocol):
    """The part of the bus that asks others."""

    async def order(self, order: Order[R]) -> R:
        """Until answered; then `Unavailable` with code `pending`."""

    async def query(self, query: Query[R]) -> R:
        """Once, within a deadline."""


class Pending(Unavailable):
    """Nobody said that the order was accepted. Asking again with `key` cannot do it twice."""

    def __init__(self, key: str) -> None:
        again = f"ask again with idempotency_key={key}" if key else "ask again: repeating it is harmless"
        super().__init__(f"not accepted as far as we know; {again}", code="pending", retry_after=2.0)
        self.key = key


class Errands:
    """What is still to be done for callers who are gone."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Awaitable[Any]) -> None:
        """Do it beside everything else; a failure is logged, since there is nobody to tell."""
        task = asyncio.ensure_future(_done(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Return when nothing is left to do."""
        while self._tasks:
            await asyncio.wait(self._tasks)


async def _done(work: Awaitable[Any]) -> None:
    try:
        await work
    except SwitchboardError as error:
        log.warning("errand_failed", error=error.detail)


@dataclass(frozen=True, slots=True)
class Call:
    """Organisation and agent come from the token, or from what a tier above may name."""

    principal: Principal
    organisation: str
    agent: str
    key: str
    key_derived: bool
    not_after: datetime | None
    traceparent: str
    progress: Progress
    progress_every: float
    """Seconds between signs of life while a call waits."""
    bus: Asker
    wakeups: Wakeups
    errands: Errands

    async def order(self, order: Callable[..., Order[R]], **data: Any) -> R:
        """Have this done, once, by the service that owns it."""
        asked = order(
            **self._named(order),
            **data,
            key=self.key,
            key_derived=self.key_derived,
            not_after=self.not_after,
        )
        try:
            return await self.bus.order(asked)
        except Unavailable as error:
            if error.code != "pending":
                raise
            raise Pending(self.key) from None

    async def query(self, query: Callable[..., Query[R]], **data: Any) -> R:
        """Ask the service that knows."""
        return await self.bus.query(query(**self._named(query), **data))

    def later(self, order: Callable[..., Order[Any]], **data: Any) -> None:
        """Have this done although nobody waits for it any more."""
        self.errands.run(self.bus.order(order(**self._named(order), **data)))

    def waiting(self) -> AbstractContextManager[Nudge]:
        """Wait for news in this call's inbox."""
        return self.wakeups.waiting(self.principal, self.organisation, self.agent)

    def _named(self, request: Any) -> dict[str, Any]:
        named = {"organisation": self.organisation, "actor": self.principal.actor, "traceparent": self.traceparent}
        return named | {"agent": self.agent} if _names_agent(request) else named


@lru_cache(maxsize=256)
def _names_agent(request: type[BaseModel]) -> bool:
    """Asked once for each class: every call needs it, and pydantic takes its time to tell."""
    return "agent" in request.model_fields


def ordering(order: Callable[..., Order[Any]]) -> Run:
    """A tool that passes its arguments on as this order."""

    async def run(call: Call, arguments: Arguments) -> BaseModel:
        done: BaseModel = await call.order(order, **arguments.asked())
        return done

    return run


def querying(query: Callable[..., Query[Any]]) -> Run:
    """A tool that passes its arguments on as this query."""

    async def run(call: Call, arguments: Arguments) -> BaseModel:
        found: BaseModel = await call.query(query, **arguments.asked())
        return found

    return run


def derived_key(organisation: str, agent: str, tool: str, arguments: Arguments) -> str:
    """What names an intent whose caller gave it no key: the same arguments of the same agent."""
    return ids.derived(organisation, agent, tool, arguments.canonical())
