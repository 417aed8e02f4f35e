"""Numbers of the gateway alone."""

from __future__ import annotations

from prometheus_client import Counter

WEBHOOKS = Counter("switchboard_webhooks_total", "Webhooks answered, by what became of them.", ["kind", "outcome"])
"""`outcome` is `stored`, `repeat`, `ignored` or the reason of a refusal, `wrong_signature` and the like."""
