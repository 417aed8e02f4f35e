"""Keeps what belongs to one agent in order on any number of writers: one batch of a lane is committed at a time.

While a batch is being committed the next gathers, so a busy lane costs no more commits than an idle one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_MOST = 64
"""Most items in one batch."""


class Lanes(Generic[T, R]):
    """`work` takes the items of one lane, in order, and gives one result for each; it succeeds or fails as a whole."""

    def __init__(self, work: Callable[[list[T]], Awaitable[list[R]]]) -> None:
        self._work = work
        self._lanes: dict[str, list[tuple[T, asyncio.Future[R]]]] = {}

    async def put(self, lane: str, item: T) -> R:
        """The item's own result, once its batch is done. Whoever finds the lane empty works for all who follow."""
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        if lane in self._lanes:
            self._lanes[lane].append((item, result))
            return await result
        self._lanes[lane] = [(item, result)]
        try:
            while self._lanes[lane]:
                batch, self._lanes[lane] = self._lanes[lane][:_MOST], self._lanes[lane][_MOST:]
                await self._settle(batch)
        finally:
            for _, left in self._lanes.pop(lane):
                left.cancel()
        return await result

    async def _settle(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._work([item for item, _ in batch])
        except Exception as error:
            if len(batch) > 1:  # each alone, so that only the guilty one fails
                for one in batch:
                    await self._settle([one])
            elif not batch[0][1].done():
                batch[0][1].set_exception(error)
            return
        for (_, waiting), found in zip(batch, results, strict=True):
            if not waiting.done():
                waiting.set_result(found)
