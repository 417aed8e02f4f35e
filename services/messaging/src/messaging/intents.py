"""The same wish asked again: which operation it is, and what it was answered before."""

from __future__ import annotations

from common import ids, replies
from common.catalogue.messages import OperationAbandoned, SendMessage, SendReply
from common.db import Tx
from common.errors import Unavailable

from messaging.store import messages, operations


def operation_of(order: SendMessage) -> str:
    """The id of the intent: its key's; a derived key counts for a while only, so there it is the order's own."""
    name = "" if order.key_derived else order.key
    return ids.derived("operation", order.organisation, order.agent, "key" if name else "order", name or order.id)


def earlier(tx: Tx, order: SendMessage) -> SendReply | None:
    """What this intent was answered before, with where its text stands now."""
    recalled = replies.recall(tx, order, order.agent)
    if recalled is None:
        return None
    reply, again = recalled
    if not again:
        return reply
    status = messages.status_of(tx, reply.message) or reply.status
    return reply.model_copy(update={"duplicate_of": reply.message, "status": status})


def too_late(tx: Tx, order: SendMessage, operation: str) -> SendReply:
    """The reply of whoever was first with this intent; money held for an operation that never was is given back."""
    found = earlier(tx, order)
    if found is None:
        raise Unavailable("two requests met; ask again with the same key", code="pending")
    if operations.state_of(tx, order.organisation, operation) is None:
        tx.stage(OperationAbandoned.after(order, operation=operation))
    return found
