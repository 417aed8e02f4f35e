"""A refusal as data, the same in tool results and problem bodies: code, sentence, and what would help."""

from __future__ import annotations

from typing import Any

from common.errors import SwitchboardError, Unavailable

from mcp_edge.call import Pending
from mcp_edge.tool import BadArguments


def told(error: SwitchboardError) -> dict[str, Any]:
    """Everything a caller can act on."""
    return {"code": error.code, "detail": error.detail, **more(error)}


def more(error: SwitchboardError) -> dict[str, Any]:
    """What some refusals say besides code and sentence."""
    said: dict[str, Any] = {}
    if isinstance(error, Unavailable):
        said["retry_after"] = error.retry_after
    if isinstance(error, Pending) and error.key:
        said["idempotency_key"] = error.key
    if isinstance(error, BadArguments):
        said["fields"] = error.fields
    return said
