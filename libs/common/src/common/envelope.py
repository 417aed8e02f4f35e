"""Events as CloudEvents 1.0 structured JSON, and back. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import ValidationError

from common.errors import Rejected
from common.messages import Event, events

CONTENT_TYPE = "application/cloudevents+json"


def encode(event: Event, *, producer: str, sequence: int) -> bytes:
    """The event as bytes; `sequence` is dense per producer, so a reader can see what it missed."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event.id,
            "source": f"switchboard/{producer}",
            "type": event.name,
            "time": event.time.astimezone(UTC),
            "datacontenttype": "application/json",
            "organisation": event.organisation,
            "sequence": str(sequence),
            "traceparent": event.traceparent,
            # Not `model_dump_json`, which makes text of the bytes that its reader makes bytes of again.
            "data": orjson.Fragment(event.__pydantic_serializer__.to_json(event)),
        }
    )


def headers(event_id: str) -> dict[str, str]:
    """The headers of a published event: the id lets the broker drop a repeat inside its window."""
    return {"Nats-Msg-Id": event_id, "Content-Type": CONTENT_TYPE}


def parse(raw: bytes) -> dict[str, Any]:
    """The envelope's attributes and data; `Rejected` when these are not the bytes of an event."""
    try:
        wire = orjson.loads(raw)
        if wire["specversion"] != "1.0" or not isinstance(wire["data"], dict):
            raise Rejected("not a CloudEvents 1.0 object", code="bad_envelope")
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise Rejected(f"not an event: {error!r}", code="bad_envelope") from error
    return dict(wire)


def decode(raw: bytes) -> Event:
    """The event of the catalogue; `Rejected` when it is unknown or does not fit its class."""
    wire = parse(raw)
    cls = events.get(wire.get("type", ""))
    if cls is None:
        raise Rejected(f"no event {wire.get('type')!r} in this version's catalogue", code="unknown_event")
    try:
        return cls.model_validate(
            wire["data"]
            | {
                "id": wire["id"],
                "organisation": wire["organisation"],
                "time": datetime.fromisoformat(wire["time"]),
                "traceparent": wire.get("traceparent", ""),
            }
        )
    except (ValidationError, KeyError, ValueError) as error:
        raise Rejected(f"{cls.__name__} does not fit its class: {error}", code="bad_event") from error
