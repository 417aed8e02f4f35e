"""Finds ports that nobody holds, and says who wants one that somebody does."""

from __future__ import annotations

import contextlib
import random
import socket

from switchboard.local.plan import SPAN


def free(port: int) -> bool:
    """Whether nothing listens on this port of loopback."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


def free_base() -> int:
    """The first of as many free ports in a row as a run may take."""
    for _ in range(200):
        base = random.randrange(12_000, 32_000, 100)  # noqa: S311 - spreads runs, guards nothing
        if all(free(base + n) for n in range(SPAN)):
            return base
    raise RuntimeError("no free range of ports on this machine")
