"""What holds for every message of the catalogue."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from common import docs, envelope, errors, messages
from common.catalogue.audit import AlertRaised, PayloadErased
from common.errors import NotFound, Rejected, SwitchboardError, Unavailable, Unknown
from common.messages import Event, Request
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from tests.contracts.instances import event_classes, events_of, request_classes

each_event = pytest.mark.parametrize("cls", event_classes(), ids=lambda cls: str(cls.__name__))
each_request = pytest.mark.parametrize("cls", request_classes(), ids=lambda cls: str(cls.__name__))
SERVICES = {"audit", "billing", "messaging", "provisioning"}


@pytest.mark.parametrize("cls", [*event_classes(), *request_classes()], ids=lambda cls: str(cls.__name__))
def test_every_message_says_what_it_means_and_has_a_proper_subject(cls: type[BaseModel]) -> None:
    assert len(docs.describe(cls)) > 10
    assert re.fullmatch(r"[a-z]+\.v\d+\.[a-z-]+\.[a-z-]+", cls.name)  # type: ignore[attr-defined]


@each_request
def test_every_request_has_an_owner_and_a_reply_with_a_meaning(cls: type[Request[Any]]) -> None:
    assert cls.owner() in SERVICES
    assert cls.kind in ("orders", "queries")
    assert isinstance(cls.reply, TypeAdapter)
    reply = messages.reply_type(cls)
    assert issubclass(reply, BaseModel)
    assert docs.describe(reply)


@settings(max_examples=30, deadline=None, database=None)
@given(data=st.data())
@each_event
def test_an_event_comes_back_from_the_wire_as_it_was(cls: type[Event], data: st.DataObject) -> None:
    event = data.draw(events_of(cls))
    assert envelope.decode(envelope.encode(event, producer="test", sequence=7)) == event


@each_event
def test_fields_of_a_newer_version_are_tolerated(cls: type[Event]) -> None:
    event = _one(cls)
    wire = orjson.loads(envelope.encode(event, producer="test", sequence=7))
    wire["newer"] = wire["data"]["newer"] = {"any": "thing"}
    assert envelope.decode(orjson.dumps(wire)) == event


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": "audit.v9.thing.happened"}, "unknown_event"),
        ({"specversion": "0.3"}, "bad_envelope"),
        ({"data": None}, "bad_envelope"),
        ({"data": {}}, "bad_event"),
        ({"time": "soon"}, "bad_event"),
    ],
)
def test_what_cannot_be_understood_is_rejected(change: dict[str, Any], code: str) -> None:
    wire = orjson.loads(envelope.encode(_one(AlertRaised), producer="test", sequence=7))
    with pytest.raises(Rejected) as told:
        envelope.decode(orjson.dumps(wire | change))
    assert told.value.code == code


@pytest.mark.parametrize("raw", [b"", b"\xff", b"[]", b"7", b"{}", b'"text"', b"null"])
def test_bytes_that_are_no_event_are_rejected(raw: bytes) -> None:
    with pytest.raises(Rejected):
        envelope.decode(raw)


def test_a_subject_belongs_to_one_class() -> None:
    with pytest.raises(TypeError, match="already belongs to AlertRaised"):
        type("Other", (Event,), {"__module__": __name__}, subject=AlertRaised.name)
    with pytest.raises(TypeError, match="is not <domain>"):
        type("Wrong", (Event,), {"__module__": __name__}, subject="no-version")


def test_the_same_thing_has_the_same_id_and_what_follows_too() -> None:
    first = PayloadErased.first("org_a", key="x", event="e", reason="r")
    again = PayloadErased.first("org_a", key="x", event="e", reason="r")
    other = PayloadErased.first("org_b", key="x", event="e", reason="r")
    assert first.id == again.id != other.id
    follows = [PayloadErased.after(cause, event="e", reason="r") for cause in (first, again, other)]
    assert follows[0].id == follows[1].id != follows[2].id
    assert follows[0].traceparent == first.traceparent
    assert follows[2].organisation == "org_b"


@pytest.mark.parametrize(
    "error", [Rejected("a"), NotFound("b"), Unavailable("c", retry_after=7), Unknown("d"), Rejected("e", code="own")]
)
def test_an_error_comes_back_from_the_wire_as_it_was(error: SwitchboardError) -> None:
    back = errors.from_wire(orjson.loads(orjson.dumps(errors.to_wire(error))))
    assert (type(back), back.code, back.detail) == (type(error), error.code, error.detail)
    assert getattr(back, "retry_after", None) == getattr(error, "retry_after", None)


def _one(cls: type[Event]) -> Event:
    """Some instance, the same each time."""
    found: list[Event] = []

    @settings(max_examples=1, deadline=None, database=None, derandomize=True)
    @given(events_of(cls))
    def draw(event: Event) -> None:
        found.append(event)

    draw()
    return found[0]
