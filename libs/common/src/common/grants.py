"""Who may say and hear what: one table from the catalogue, from which the broker's users are made.

Nothing is allowed that is not written here. A durable reader may be declared only with the one subject it is for, so a
service cannot read an event it was not granted by choosing another filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.catalogue import audit, billing, messages, provisioning
from common.directory import CREDENTIALS, DIRECTORY
from common.messages import Event, Request, requests
from common.snapshot import heartbeat_subject
from common.streams import BUCKETS, DEAD, EVENTS

ALL_EVENTS = "comms.>"

MIGRATOR, OPERATOR, SUBSCRIBER = "migrator", "operator", "subscriber"
"""Users that are no service: the migration step, the command line, and an example for a program of one's own."""

_BETWEEN_SERVICES: dict[type[Request[Any]], tuple[str, ...]] = {
    billing.Authorize: ("messaging", "provisioning"),
    billing.SettleHold: ("provisioning",),
    provisioning.ResolveRoute: ("messaging",),
    provisioning.GetSagaHold: ("billing",),
    messages.GetOperation: ("billing",),
}
"""Requests that no token can ask for. Every other one is asked by the edge."""

_ALSO_BETWEEN_SERVICES: dict[type[Request[Any]], tuple[str, ...]] = {billing.GetPriceBook: ("provisioning",)}
"""Requests the edge asks, and these services too."""


@dataclass(frozen=True)
class Grant:
    """What one service does at the broker."""

    publishes: tuple[type[Event], ...] = ()
    reads: Mapping[str, str] = field(default_factory=dict)
    """Durable readers (without the service's name) and the one subject of each."""
    hears: tuple[str, ...] = ()
    """Core subscriptions: hints that may be missed."""
    asks_for_tokens: bool = False
    follows: tuple[str, ...] = ()
    owns_buckets: bool = False


@dataclass(frozen=True)
class Rights:
    """The subjects a broker user may publish and subscribe to; `answers` lets it reply to what it was asked."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool = False


def _of(module: Any) -> tuple[type[Event], ...]:
    """The events a catalogue module declares, in a stable order."""
    found = {value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Event)}
    return tuple(sorted(found - {Event}, key=lambda event: event.name))


_HEARD_AT_THE_DOOR = (messages.SmsReceived, messages.SmsStatusReported)
_ALERT = (audit.AlertRaised,)

SERVICES: dict[str, Grant] = {
    "gateway": Grant(publishes=_HEARD_AT_THE_DOOR + _ALERT, follows=(DIRECTORY, CREDENTIALS)),
    "messaging": Grant(
        publishes=tuple(event for event in _of(messages) if event not in _HEARD_AT_THE_DOOR) + _ALERT,
        reads={
            "inbound": messages.SmsReceived.pattern(),
            "reports": messages.SmsStatusReported.pattern(),
        },
        hears=(messages.MessageReceived.pattern(),),
        follows=(DIRECTORY, CREDENTIALS),
    ),
    "provisioning": Grant(publishes=_of(provisioning) + _ALERT, follows=(CREDENTIALS,), owns_buckets=True),
    "billing": Grant(
        publishes=_of(billing) + _ALERT,
        reads={
            "capture-sent": messages.MessageSent.pattern(),
            "release-not-sent": messages.MessageNotSent.pattern(),
            "correct-price": messages.MessagePriced.pattern(),
            "release-abandoned": messages.OperationAbandoned.pattern(),
            "post-inbound": messages.MessageReceived.pattern(),
            "start-rent": provisioning.NumberBought.pattern(),
            "stop-rent": provisioning.NumberReleased.pattern(),
        },
    ),
    "audit": Grant(publishes=_of(audit), reads={"chain": ALL_EVENTS, "alerts": audit.AlertRaised.pattern()}),
    "mcp-edge": Grant(hears=(messages.MessageReceived.pattern(),), asks_for_tokens=True, follows=(DIRECTORY,)),
}

SUBSCRIBER_DURABLES = ("subscriber", "subscriber-2", "subscriber-3", "subscriber-4")
"""Readers the example user may declare, on any subject of events."""

USERS = (*SERVICES, MIGRATOR, OPERATOR, SUBSCRIBER)
"""Every user of the broker; each has a password file `nats-<user>.password`."""


def asked_by(service: str) -> tuple[type[Request[Any]], ...]:
    """The requests a service may ask."""
    if SERVICES[service].asks_for_tokens:
        return tuple(request for request in requests.values() if request not in _BETWEEN_SERVICES)
    known = _BETWEEN_SERVICES | _ALSO_BETWEEN_SERVICES
    return tuple(request for request, askers in known.items() if service in askers)


def served_by(service: str) -> tuple[type[Request[Any]], ...]:
    """The requests a service answers."""
    return tuple(request for request in requests.values() if request.owner() == service)


def rights(user: str) -> Rights:
    """Everything one user may do; `KeyError` for a user that does not exist."""
    if user == MIGRATOR:
        return _migrator()
    if user == OPERATOR:
        return _operator()
    if user == SUBSCRIBER:
        return _subscriber()
    return _service(user, SERVICES[user])


def _service(name: str, grant: Grant) -> Rights:
    publish = [event.pattern() for event in grant.publishes]
    publish += [request.pattern() for request in asked_by(name)]
    subscribe = [f"_INBOX_{name}.>", *grant.hears, *(request.pattern() for request in served_by(name))]
    if grant.publishes or grant.reads:
        publish.append(f"$JS.API.STREAM.INFO.{EVENTS}")
    for durable, subject in grant.reads.items():
        publish += _reading(f"{name}-{durable}", subject)
    for bucket in BUCKETS:
        if grant.owns_buckets or bucket in grant.follows:
            publish += _looking_up(bucket)
            subscribe.append(heartbeat_subject(bucket))
        if grant.owns_buckets:
            publish += [f"$KV.{bucket}.>", f"$JS.API.STREAM.PURGE.KV_{bucket}", heartbeat_subject(bucket)]
    return Rights(tuple(publish), tuple(subscribe), answers=bool(served_by(name)))


def _reading(durable: str, subject: str) -> list[str]:
    """Declare that reader with that filter and no other, ask for messages, settle them, set poison aside."""
    return [
        f"$JS.API.CONSUMER.CREATE.{EVENTS}.{durable}.{subject}",
        f"$JS.API.CONSUMER.INFO.{EVENTS}.{durable}",
        f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.{durable}",
        f"$JS.ACK.{EVENTS}.{durable}.>",
        f"dead.{durable}",
    ]


def _looking_up(bucket: str) -> list[str]:
    return [f"$JS.API.STREAM.INFO.KV_{bucket}", f"$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.>"]


def _migrator() -> Rights:
    streams = (EVENTS, DEAD, *(f"KV_{bucket}" for bucket in BUCKETS))
    verbs = ("CREATE", "UPDATE", "INFO")
    publish = tuple(f"$JS.API.STREAM.{verb}.{stream}" for stream in streams for verb in verbs)
    return Rights(publish, (f"_INBOX_{MIGRATOR}.>",))


def _operator() -> Rights:
    """Read both streams, publish a dead letter's event again, take the letter away."""
    publish = tuple(f"$JS.API.STREAM.{verb}.{stream}" for stream in (EVENTS, DEAD) for verb in ("INFO", "MSG.GET"))
    return Rights((*publish, f"$JS.API.STREAM.MSG.DELETE.{DEAD}", ALL_EVENTS), (f"_INBOX_{OPERATOR}.>",))


def _subscriber() -> Rights:
    """Hear and read every event, say nothing. The plain inbox is what other client libraries use."""
    publish = [f"$JS.API.STREAM.INFO.{EVENTS}", "$JS.API.STREAM.NAMES"]
    for durable in SUBSCRIBER_DURABLES:
        publish += [
            f"$JS.API.CONSUMER.CREATE.{EVENTS}.{durable}",
            f"$JS.API.CONSUMER.CREATE.{EVENTS}.{durable}.>",
            f"$JS.API.CONSUMER.INFO.{EVENTS}.{durable}",
            f"$JS.API.CONSUMER.MSG.NEXT.{EVENTS}.{durable}",
            f"$JS.ACK.{EVENTS}.{durable}.>",
        ]
    return Rights(tuple(publish), (f"_INBOX_{SUBSCRIBER}.>", "_INBOX.>", ALL_EVENTS))
