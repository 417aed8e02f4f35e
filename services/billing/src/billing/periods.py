"""UTC days and months: the windows caps and usage are counted in. A month sorts before its own days, by name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal

Window = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Period:
    """One day or month; `name` is `2026-11-21` or `2026-11`."""

    window: Window
    name: str
    ends_at: datetime


def day(moment: datetime) -> Period:
    """The UTC day of a moment."""
    return both(moment)[0]


def month(moment: datetime) -> Period:
    """The UTC month of a moment."""
    return both(moment)[1]


def both(moment: datetime) -> tuple[Period, Period]:
    """Day and month of a moment."""
    return _of(moment.astimezone(UTC).date())


@lru_cache(maxsize=64)
def _of(date: date) -> tuple[Period, Period]:
    """Every act asks several times, and nearly always for today."""
    midnight, name = datetime(date.year, date.month, date.day, tzinfo=UTC), f"{date:%Y-%m}"
    today = Period("day", f"{date:%Y-%m-%d}", midnight + timedelta(days=1))
    return today, Period("month", name, start(following(name)))


def start(month_name: str) -> datetime:
    """The first moment of `2026-11`."""
    return datetime.strptime(month_name, "%Y-%m").replace(tzinfo=UTC)


def following(month_name: str) -> str:
    """The month after `2026-11`."""
    return f"{start(month_name) + timedelta(days=31):%Y-%m}"


def between(first: str, last: str) -> list[str]:
    """Every month from `first` to `last`, both included; none when `last` is earlier."""
    months = []
    while first <= last:
        months.append(first)
        first = following(first)
    return months
