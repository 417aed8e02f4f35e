"""Another service, in a few lines: hears of every text an agent receives, with nothing of Switchboard's code.

    python listener.py nats://127.0.0.1:4222 --user listener --password-file listener.password

Subject and fields are those of `docs/events.md`. Deliveries repeat, so it drops what it has seen; an event is
acknowledged when it is dealt with, and not before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from collections import OrderedDict
from pathlib import Path
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.nats import ConsumerConfig, JStream, NatsBroker, NatsMessage
from faststream.security import SASLPlaintext
from nats.js.api import AckPolicy as NatsAck

SUBJECT = "comms.*.messages.v1.message.received"
DURABLE = "listener"
REMEMBERED = 10_000


class Seen:
    """The last ids. A real service keeps them with its own data, in the same transaction."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def first_time(self, event_id: str) -> bool:
        """Whether this id was not seen before."""
        if event_id in self._ids:
            return False
        self._ids[event_id] = None
        if len(self._ids) > REMEMBERED:
            self._ids.popitem(last=False)
        return True


def listening(url: str, user: str | None, password: str | None) -> FastStream:
    """The program: one subscription on the house's stream, with a durable of our own."""
    log = logging.getLogger("listener")
    broker = NatsBroker(url, security=SASLPlaintext(user, password) if user and password else None, logger=log)
    seen = Seen()

    @broker.subscriber(
        SUBJECT,
        stream=JStream("EVENTS", declare=False),
        durable=DURABLE,
        pull_sub=True,
        ack_policy=AckPolicy.MANUAL,
        config=ConsumerConfig(ack_policy=NatsAck.EXPLICIT),
    )
    async def hear(event: dict[str, Any], message: NatsMessage) -> None:
        if seen.first_time(event["id"]):
            tell(event)
        await message.ack()

    return FastStream(broker, logger=log)


def tell(event: dict[str, Any]) -> None:
    """One line for each text; a real service would do something with it."""
    data = event["data"]
    line = {"id": event["id"], "organisation": event["organisation"], "agent": data["agent"], "text": data["body"]}
    print(json.dumps(line), flush=True)


def main() -> None:
    """Run until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--user")
    parser.add_argument("--password-file", type=Path)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO)  # to standard error: the output is for what was heard
    password = asked.password_file.read_text().strip() if asked.password_file else None
    asyncio.run(listening(asked.url, asked.user, password).run())


if __name__ == "__main__":
    main()
