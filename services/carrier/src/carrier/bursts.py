"""Many texts at a given rate from many people, for fault and load tests. Counts are kept in memory; the ledger has
each text.
"""

import asyncio
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict, Field

from carrier.incoming import Incoming, Undeliverable
from carrier.tasks import Tasks

# Exchange 555 is never sold, so these people can never be somebody's number.
FIRST_AREA = 201


class BurstOrder(BaseModel):
    """How many texts, how fast, from how many people, to which numbers."""

    model_config = ConfigDict(extra="forbid")

    to: list[str] = Field(min_length=1, description="Owned numbers, texted in turn.")
    count: int = Field(ge=1, le=1_000_000)
    rate: float = Field(gt=0, le=10_000, description="Texts a second.")
    people: int = Field(1, ge=1, le=1_000_000, description="Different senders, in turn.")
    body: str = Field("burst {burst} text {i}", description="{burst} and {i} are filled in.")


@dataclass
class Burst:
    """A burst under way."""

    order: BurstOrder
    id: str = field(default_factory=lambda: secrets.token_hex(4))
    started: float = field(default_factory=time.time)
    ended: float | None = None
    accepted: int = 0
    refused: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    def report(self) -> dict[str, object]:
        """Say how far it is. `outcomes` counts webhooks: delivered, failed, none."""
        return {
            "id": self.id, "count": self.order.count, "accepted": self.accepted, "refused": self.refused,
            "outcomes": dict(self.outcomes), "started": self.started, "ended": self.ended,
        }  # fmt: skip


def person(index: int) -> str:
    """Return the address of the n-th person of a burst."""
    area, line = divmod(index, 10_000)
    return f"+1{FIRST_AREA + area}555{line:04d}"


class Bursts:
    """Runs bursts and remembers their counts."""

    def __init__(self, incoming: Incoming, tasks: Tasks) -> None:
        self._incoming, self._tasks = incoming, tasks
        self._known: dict[str, Burst] = {}

    def start(self, order: BurstOrder) -> Burst:
        """Begin a burst in the background."""
        burst = Burst(order)
        self._known[burst.id] = burst
        self._tasks.spawn(self._run(burst))
        return burst

    def get(self, burst_id: str) -> Burst | None:
        """Find a burst of this process."""
        return self._known.get(burst_id)

    def forget(self) -> None:
        """Drop all counts."""
        self._known.clear()

    async def _run(self, burst: Burst) -> None:
        """Start each text on its own tick, so that a slow one does not hold back the rest."""
        begun, order = time.monotonic(), burst.order
        sends = []
        for i in range(order.count):
            if (pause := begun + i / order.rate - time.monotonic()) > 0:
                await asyncio.sleep(pause)
            sends.append(self._tasks.spawn(self._one(burst, i)))
        await asyncio.gather(*sends, return_exceptions=True)
        burst.ended = time.time()

    async def _one(self, burst: Burst, i: int) -> None:
        order = burst.order
        body = order.body.replace("{burst}", burst.id).replace("{i}", str(i))
        try:
            _, delivery = await self._incoming.accept(person(i % order.people), order.to[i % len(order.to)], body)
        except Undeliverable:
            burst.refused += 1
            return
        burst.accepted += 1
        burst.outcomes[await delivery] += 1
