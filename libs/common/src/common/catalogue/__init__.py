"""Every message of the house, one class each, one module per domain. Importing this package knows them all."""

from __future__ import annotations

from typing import Any

from common import messages as _messages
from common.catalogue import audit, billing, messages, provisioning, values

__all__ = ["EVENTS", "REQUESTS", "audit", "billing", "messages", "provisioning", "values"]


def _ours(classes: dict[str, Any]) -> dict[str, Any]:
    """Without what a test or an extension has bound beside it."""
    return {name: cls for name, cls in sorted(classes.items()) if cls.__module__.startswith(f"{__name__}.")}


EVENTS: dict[str, type[_messages.Event]] = _ours(_messages.events)
"""Every event by the part of its subject after the organisation, in order."""

REQUESTS: dict[str, type[_messages.Request[Any]]] = _ours(_messages.requests)
"""Every order and query likewise."""
