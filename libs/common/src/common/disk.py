"""Where to wait for the disk: here while it is quick, beside the event loop when it is not.

A thread costs two hand-overs of the interpreter, more than a quick disk takes; a slow one would hold up the whole loop.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_QUICK = 0.003
"""Seconds a commit may usually take, to be waited for on the loop."""

_WEIGHT = 0.1
"""Share of the newest commit in what is usual: one that took long is not the rule yet, a few are."""


class Disk:
    """How long commits take here."""

    def __init__(self) -> None:
        self._usual = 0.0

    @property
    def quick(self) -> bool:
        """Whether a thread costs more than it spares."""
        return self._usual < _QUICK

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A commit goes on meanwhile, on whichever thread."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._usual += _WEIGHT * (time.perf_counter() - began - self._usual)
