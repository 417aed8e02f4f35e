"""Named places where a fault test may kill the process. Off unless the environment asks: `CRASH_AT=name:n`."""

from __future__ import annotations

import os

_wanted, _, _count = os.environ.get("CRASH_AT", "").partition(":")
_left = int(_count or "1")


def crash(name: str) -> None:
    """Die at once, as SIGKILL would, the n-th time the named place is reached."""
    global _left  # noqa: PLW0603 - the countdown is the point
    if name != _wanted:
        return
    _left -= 1
    if _left <= 0:
        os._exit(137)
