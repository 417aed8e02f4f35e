"""Posts number rent when a UTC month begins, and what is owed after an absence."""

from __future__ import annotations

import asyncio

from common.crash import crash
from common.db import Database

from billing import books


class RentCollector:
    """Replicas may all run it: each month of each number is posted once."""

    def __init__(self, database: Database, *, every: float) -> None:
        self._database = database
        self._every = every

    async def run(self) -> None:
        """Collect for ever."""
        while True:
            await self.collect()
            await asyncio.sleep(self._every)

    async def collect(self) -> None:
        """Post everything that is due."""
        while await self._database.write(books.post_rents):
            crash("b3")
