"""Which way a text's status may move: forward only, whatever order reports arrive in."""

from __future__ import annotations

from common.catalogue.messages import OutboundStatus, ProviderStatus

_RANK: dict[OutboundStatus, int] = {
    "accepted": 0,
    "sending": 1,
    "unknown": 2,
    "sent": 3,
    "delivered": 4,
    "undelivered": 4,
    "failed": 4,
    "refused": 4,
}
"""Final statuses share a rank: the first one stays."""

_MEANING: dict[ProviderStatus, OutboundStatus] = {
    "queued": "sent",
    "sending": "sent",
    "sent": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
    "canceled": "failed",
}
"""To us a text the provider has queued is sent: it is out of our hands and will be charged."""


def forward(now: OutboundStatus, to: OutboundStatus) -> bool:
    """Whether a status may follow another."""
    return _RANK[to] > _RANK[now]


def final(status: OutboundStatus) -> bool:
    """Whether nothing can follow."""
    return _RANK[status] == max(_RANK.values())


def meaning(reported: ProviderStatus) -> OutboundStatus:
    """A provider's report in our words."""
    return _MEANING[reported]
