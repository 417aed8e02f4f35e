"""Keeps what belongs together in order on any number of writers: a lane has one transaction under way at a time.

Two groups of writes that want the same rows in different order would lock each other out for a second. While one batch
is being committed the next gathers, so a busy lane costs no more commits than an idle one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from common.db import Database, Tx

R = TypeVar("R")

_MOST = 64
"""Most pieces of work in one batch."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    at: datetime
    work: Callable[[Tx], Any]
    result: asyncio.Future[Any]


class Lanes:
    """Writes to the database, one lane beside the other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lanes: dict[str, list[_Waiting]] = {}

    async def write(self, lane: str, at: datetime, work: Callable[[Tx], R]) -> R:
        """Commit `work` after what the lane took before; what waits together goes by `at`."""
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        waiting = _Waiting(at, work, result)
        if lane in self._lanes:
            self._lanes[lane].append(waiting)
        else:
            await self._lead(lane, waiting)
        return await result

    async def _lead(self, lane: str, first: _Waiting) -> None:
        """Whoever finds the lane empty works for all who follow."""
        self._lanes[lane] = [first]
        try:
            while self._lanes[lane]:
                batch, self._lanes[lane] = self._lanes[lane][:_MOST], self._lanes[lane][_MOST:]
                await self._settle(sorted(batch, key=lambda one: one.at))
        finally:
            for left in self._lanes.pop(lane):
                left.result.cancel()

    async def _settle(self, batch: list[_Waiting]) -> None:
        try:
            results = await self._database.write(lambda tx: [one.work(tx) for one in batch])
        except Exception as error:
            if len(batch) > 1:  # each alone, so that only the guilty one fails
                for one in batch:
                    await self._settle([one])
            elif not batch[0].result.done():
                batch[0].result.set_exception(error)
            return
        for one, found in zip(batch, results, strict=True):
            if not one.result.done():
                one.result.set_result(found)


def agent_lane(organisation: str, agent: str) -> str:
    """The lane of an agent's log: its counter is one row."""
    return f"agent/{organisation}/{agent}"


def attempt_lane(attempt: str) -> str:
    """The lane of one attempt: its answer and its reports may come at the same moment."""
    return f"attempt/{attempt}"
