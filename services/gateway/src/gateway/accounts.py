"""One log line and the metrics for each webhook, written together a few times a second.

A line at once for every request took as long as all the rest of it. A crash loses the last moments' lines, no event.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from functools import lru_cache

from common import logs
from common.metrics import HTTP, HTTP_SECONDS

from gateway.metrics import WEBHOOKS

EVERY = 0.1

Entry = tuple[float, str, int, str, float]


class Accounts:
    """What was answered since the last time it was written down."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []

    def add(self, kind: str, status: int, outcome: str, seconds: float) -> None:
        """Note one answer; never a number, body or id."""
        self._entries.append((time.time(), kind, status, outcome, seconds))

    async def run(self) -> None:
        """Write for ever, and a last time when it ends."""
        try:
            while True:
                await asyncio.sleep(EVERY)
                self.write()
        finally:
            self.write()

    def write(self) -> None:
        """Lines to the log, counts to the metrics."""
        entries, self._entries = self._entries, []
        if not entries:
            return
        logs.write_lines("webhook", [_line(entry) for entry in entries])
        for (kind, status, outcome), count in Counter(entry[1:4] for entry in entries).items():
            HTTP.labels(kind, str(status)).inc(count)
            WEBHOOKS.labels(kind, outcome).inc(count)
        observe = {kind: HTTP_SECONDS.labels(kind).observe for kind in {entry[1] for entry in entries}}
        for _, kind, _, _, seconds in entries:
            observe[kind](seconds)


def _line(entry: Entry) -> str:
    """The line's own part of a JSON object; nothing in it needs quoting: times, numbers and words of ours."""
    at, kind, status, outcome, seconds = entry
    return (
        f'"timestamp":"{_second(int(at))}.{int(at % 1 * 1e6):06d}Z",'
        f'"kind":"{kind}","status":{status},"outcome":"{outcome}","ms":{seconds * 1e3:.1f}'
    )


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
