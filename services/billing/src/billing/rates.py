"""Rate limits by the generic cell rate algorithm: one moment a sender, no window whose edge could be gamed.

The moment, TAT, is when the sender's allowance would be whole again; each send moves it on by one interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Rate:
    """One send an `interval` on the long run; `tolerance` ahead of that at most."""

    interval: timedelta
    tolerance: timedelta

    @classmethod
    def of(cls, per_minute: int, burst: timedelta) -> Rate:
        """A sender that was idle may send at once what it earns in `burst`, and always one."""
        interval = _MINUTE / per_minute
        return cls(interval, max(burst - interval, timedelta(0)))


def free_at(rate: Rate, tat: datetime) -> datetime:
    """The first moment at which the sender whose clock shows `tat` may send again."""
    return tat - rate.tolerance


def advanced(rate: Rate, tat: datetime, now: datetime) -> datetime:
    """The clock after one send."""
    return max(tat, now) + rate.interval
