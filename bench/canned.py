"""Owners that answer at once, and a directory with one agent's token: `python -m bench.canned <broker url> <token>`.

What remains of a tool call is then the edge, the broker and the way between them.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

import uvloop
from common import logs, snapshot, tokens
from common.bus import Bus
from common.catalogue.messages import GetMessages, InboxMessage, Messages, SendMessage, SendReply
from common.catalogue.values import Money, Trust
from common.directory import DIRECTORY

PEPPER = bytes(32)


_MESSAGE = InboxMessage(
    message="msg_1",
    cursor=1,
    thread="thr_1",
    contact="con_1",
    direction="in",
    channel="sms",
    sender="+14155550100",
    to="+14155550199",
    body="Hello, is anyone there?",
    status="received",
    at=datetime(2026, 1, 1, tzinfo=UTC),
    trust=Trust(signature_verified=True),
)


async def _page(asked: GetMessages) -> Messages:
    return Messages(messages=[_MESSAGE], cursor=asked.after + 1, more=False)


async def _accepted(asked: SendMessage) -> SendReply:
    return SendReply(message=asked.id, thread="thr_1", status="accepted", segments=1, held=Money(micros=8300))


async def _answer(url: str, token: str) -> None:
    messaging, provisioning = Bus("messaging", url), Bus("provisioning", url)
    messaging.serve(GetMessages, _page)
    messaging.serve(SendMessage, _accepted)
    for bus in (messaging, provisioning):
        await bus.start()
    entry = {"token": "tok_1", "tier": "agent", "organisation": "org_1", "agent": "agt_1"}
    content = {"routes": [], "tokens": [{"hash": tokens.hashed(token, PEPPER), **entry}]}
    publisher = snapshot.Publisher(provisioning, DIRECTORY)
    while True:
        await publisher.publish(1, content)
        await asyncio.sleep(snapshot.HEARTBEAT_EVERY)


if __name__ == "__main__":
    logs.configure("canned", level="error")
    uvloop.run(_answer(sys.argv[1], sys.argv[2]))
