"""What the edge counts. Tools, tiers and outcomes are small closed sets."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

CALLS = Counter("switchboard_tool_calls_total", "Tool and REST calls.", ["tool", "door", "tier", "outcome"])
CALL_SECONDS = Histogram("switchboard_tool_seconds", "Time to answer one call.", ["tool"], buckets=_SECONDS)
TURNED_AWAY = Counter("switchboard_turned_away_total", "Requests answered before a tool was chosen.", ["reason"])

# Looked up once: the library's own look-up takes a lock and builds a key each time.
calls = cache(CALLS.labels)
call_seconds = cache(CALL_SECONDS.labels)
