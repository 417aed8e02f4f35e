"""Numbers every service shows under `/metrics`. Labels come from small closed sets: never a tenant, number or id."""

from __future__ import annotations

from functools import cache

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

RELAY_BACKLOG = Gauge("switchboard_unpublished_rows", "Committed events the broker does not have yet.")
RELAY_OLDEST = Gauge("switchboard_oldest_unpublished_seconds", "Age of the oldest event the broker does not have yet.")
RELAY_PUBLISHED = Counter("switchboard_events_published_total", "Events the broker acknowledged.")
RELAY_REPLAYED = Counter("switchboard_events_replayed_total", "Events published again because the broker lost them.")

HANDLED = Counter("switchboard_events_handled_total", "Events handled.", ["handler", "outcome"])
HANDLING = Histogram("switchboard_event_seconds", "Time to handle one event.", ["handler"], buckets=_SECONDS)
DEAD_LETTERS = Counter("switchboard_dead_letters_total", "Events set aside with a reason.", ["handler"])

REQUESTS = Counter("switchboard_requests_total", "Orders and queries answered.", ["name", "outcome"])
ANSWERING = Histogram("switchboard_request_seconds", "Time to answer an order or query.", ["name"], buckets=_SECONDS)

HTTP = Counter("switchboard_http_requests_total", "HTTP requests answered.", ["route", "status"])
HTTP_SECONDS = Histogram("switchboard_http_seconds", "Time to answer an HTTP request.", ["route"], buckets=_SECONDS)

# Looked up once: the library's own look-up takes a lock and builds a key each time.
requests = cache(REQUESTS.labels)
answering = cache(ANSWERING.labels)
handled = cache(HANDLED.labels)
handling = cache(HANDLING.labels)
