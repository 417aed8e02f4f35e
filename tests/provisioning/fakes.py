"""A provider and a billing in memory, which fail when and how a test says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from common.catalogue.values import Money
from common.errors import NotFound, Rejected, Unavailable, Unknown
from provisioning.providers.port import OwnedNumber, Taken

T = TypeVar("T")


class Crash(BaseException):
    """The process ends here."""


@dataclass
class Trouble:
    """What becomes of each call to the outside, in order; when the list is over, everything works."""

    plan: Iterator[str] = field(default_factory=lambda: iter(()))
    calls: int = 0

    @classmethod
    def of(cls, outcomes: Iterable[str]) -> Trouble:
        return cls(iter(outcomes))

    def meet(self, act: Callable[[], T]) -> T:
        """Run `act`, or fail before or after it."""
        self.calls += 1
        outcome = next(self.plan, "ok")
        if outcome == "rejected":
            raise Rejected("no", code="no")
        if outcome == "unavailable":
            raise Unavailable("not now", retry_after=0.0)
        if outcome == "unknown-before":
            raise Unknown("lost on the way there")
        if outcome == "bug-before":
            raise KeyError("a bug")
        if outcome == "crash-before":
            raise Crash
        result = act()
        if outcome == "unknown-after":
            raise Unknown("lost on the way back")
        if outcome == "bug-after":
            raise KeyError("a bug")
        if outcome == "crash-after":
            raise Crash
        return result


OUTCOMES = [
    "ok",
    "rejected",
    "unavailable",
    "unknown-before",
    "unknown-after",
    "bug-before",
    "bug-after",
    "crash-before",
    "crash-after",
]


@dataclass
class FakeProvider:
    """A vendor with a few numbers."""

    trouble: Trouble = field(default_factory=Trouble)
    stock: list[str] = field(default_factory=lambda: [f"+1415666{n:04}" for n in range(5)])
    owned: dict[str, OwnedNumber] = field(default_factory=dict)
    urls: dict[str, tuple[str, str]] = field(default_factory=dict)
    bought: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    _ids: Iterator[int] = field(default_factory=itertools.count)

    async def search(self, country: str, area_code: str, limit: int = 20) -> list[str]:
        return self.trouble.meet(lambda: self._for_sale(country, area_code)[:limit])

    def _for_sale(self, country: str, area_code: str) -> list[str]:
        if country != "US":
            return []
        mine = {one.number for one in self.owned.values()}
        return [number for number in self.stock if number not in mine and number[2:].startswith(area_code)]

    async def buy(self, number: str, *, name: str, key: str) -> OwnedNumber:
        return self.trouble.meet(lambda: self._buy(number, name))

    def _buy(self, number: str, name: str) -> OwnedNumber:
        before = next((one for one in self.owned.values() if one.number == number), None)
        if before is None and (number in self.taken or number not in self.stock):
            raise Taken("sold")
        sid = before.provider_id if before else f"PN{next(self._ids):032}"
        self.owned[sid] = OwnedNumber(sid, number, name)
        self.bought += [] if before else [number]
        return self.owned[sid]

    async def find(self, number: str) -> OwnedNumber | None:
        return self.trouble.meet(lambda: next((one for one in self.owned.values() if one.number == number), None))

    async def configure(self, provider_id: str, *, sms_url: str, fallback_url: str) -> None:
        def put() -> None:
            if provider_id not in self.owned:
                raise NotFound("no such number")
            self.urls[provider_id] = (sms_url, fallback_url)

        self.trouble.meet(put)

    async def release(self, provider_id: str) -> None:
        self.trouble.meet(lambda: self.owned.pop(provider_id, None))

    async def list(self) -> list[OwnedNumber]:
        return self.trouble.meet(lambda: list(self.owned.values()))

    async def close(self) -> None:
        return None


@dataclass
class FakeQuota:
    """A billing that remembers its holds."""

    trouble: Trouble = field(default_factory=Trouble)
    held: set[str] = field(default_factory=set)
    refuses: str = ""

    async def hold(self, organisation: str, hold: str, agent: str, country: str) -> Money:
        def put() -> Money:
            if self.refuses:
                raise Rejected(self.refuses, code="cap_reached")
            self.held.add(hold)
            return Money(micros=1_150_000)

        return self.trouble.meet(put)

    async def let_go(self, organisation: str, hold: str) -> None:
        self.trouble.meet(lambda: self.held.discard(hold))
