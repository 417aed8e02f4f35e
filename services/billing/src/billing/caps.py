"""Caps: how much may be used and held in a UTC day or month, and why an act does not fit. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from common.catalogue.billing import CapLine, Decision, Limits

from billing import periods
from billing.money import dollars
from billing.periods import Period, Window

Scope = Literal["agent", "organisation"]
Unit = Literal["money", "messages"]


@dataclass(frozen=True, slots=True)
class Counter:
    """What is used, and what is held, in one period."""

    money_used: int = 0
    money_held: int = 0
    messages_used: int = 0
    messages_held: int = 0

    def used(self, unit: Unit) -> int:
        """What was spent or sent."""
        return self.money_used if unit == "money" else self.messages_used

    def held(self, unit: Unit) -> int:
        """What may yet be."""
        return self.money_held if unit == "money" else self.messages_held


Counters = Mapping[tuple[Scope, Window], Counter]
"""By scope and window; a missing one is all zeros."""


@dataclass(frozen=True, slots=True)
class Cap:
    """One cap in force."""

    scope: Scope
    unit: Unit
    period: Period
    most: int

    def line(self, counters: Counters) -> CapLine:
        """As it is shown."""
        counter = counters.get((self.scope, self.period.window), Counter())
        return CapLine(
            scope=self.scope,
            unit=self.unit,
            window=self.period.window,
            cap=self.most,
            used=counter.used(self.unit),
            held=counter.held(self.unit),
            ends_at=self.period.ends_at,
        )


@dataclass(frozen=True, slots=True)
class Need:
    """What an act would hold: micro-units of money, and a count of messages."""

    money: int
    messages: int

    def of(self, unit: Unit) -> int:
        """The part that counts in `unit`."""
        return self.money if unit == "money" else self.messages


NOTHING = Need(0, 0)


def in_force(limits: Limits, scope: Scope, now: datetime) -> list[Cap]:
    """The caps these limits set now."""
    today, this_month = periods.both(now)
    found: list[tuple[Unit, Period, int | None]] = [
        ("money", today, limits.money_per_day),
        ("money", this_month, limits.money_per_month),
        ("messages", today, limits.messages_per_day),
        ("messages", this_month, limits.messages_per_month),
    ]
    return [Cap(scope, unit, period, most) for unit, period, most in found if most is not None]


def refusal(caps: Sequence[Cap], counters: Counters, need: Need) -> Decision | None:
    """Why `need` does not fit, and when the last of the caps in its way ends; None when it fits."""
    blocking = [(cap, cap.line(counters)) for cap in caps if need.of(cap.unit)]
    blocking = [(cap, line) for cap, line in blocking if line.used + line.held + need.of(cap.unit) > line.cap]
    if not blocking:
        return None
    cap, line = max(blocking, key=lambda one: one[1].ends_at)
    hopeless = any(need.of(one.unit) > one.most for one, _ in blocking)
    ever = "; the act alone needs more than the cap" if hopeless else ""
    return Decision(
        allowed=False,
        code="cap_reached",
        reason=f"{_sentence(line, need.of(cap.unit))}{ever}",
        retry_at=None if hopeless else line.ends_at,
    )


def _sentence(line: CapLine, need: int) -> str:
    show = dollars if line.unit == "money" else "{} messages".format
    return (
        f"the {line.scope}'s cap of {show(line.cap)} a UTC {line.window} is reached: "
        f"{show(line.used)} used, {show(line.held)} held, {show(need)} needed"
    )
