"""The three kinds of message and how one class is bound to one subject, once.

An `Event` is a fact for anyone; an `Order` asks one service to act and is answered after its commit; a `Query` asks
without effect. Nobody writes a subject by hand a second time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Self, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from common import ids

PLATFORM = "platform"
"""The organisation of what belongs to no tenant: the installation itself."""

UNROUTED = "unrouted"
"""The organisation of what arrived for a route the directory does not know yet; its owner decides."""

_SUBJECT = re.compile(r"[a-z]+\.v\d+\.[a-z-]+\.[a-z-]+")

events: dict[str, type[Event]] = {}
"""Every event class of the catalogue, by the part of its subject after the organisation."""

requests: dict[str, type[Request[Any]]] = {}
"""Every order and query class of the catalogue, by the part of its subject after the organisation."""


class Value(BaseModel):
    """A part of a message: immutable, and tolerant of fields added by newer versions."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Event(Value):
    """A fact, past tense. Its id, organisation and time travel as CloudEvents attributes, the rest as data."""

    name: ClassVar[str]
    id: str = Field(default="", exclude=True)
    organisation: str = Field(default="", exclude=True)
    time: datetime = Field(default_factory=_utc_now, exclude=True)
    traceparent: str = Field(default="", exclude=True)

    def __init_subclass__(cls, *, subject: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _bind(events, cls, subject)

    @classmethod
    def first(cls, organisation: str, *, key: str, **data: Any) -> Self:
        """The event for something that enters from outside; `key` names it there, so a repeat has the same id.

        A trace that begins here bears that id.
        """
        data["organisation"] = organisation
        data["id"] = ids.derived(cls.name, organisation, key)
        if not data.get("traceparent"):
            data["traceparent"] = ids.trace_parent(data["id"])
        return cls.model_validate(data)

    @classmethod
    def after(cls, cause: Event | Request[Any], *, key: str = "", **data: Any) -> Self:
        """The event that follows from `cause`: handled twice, it has the same id. `key` tells several apart."""
        organisation = data.pop("organisation", cause.organisation)
        return cls(
            id=ids.derived(cls.name, cause.id, key),
            organisation=organisation,
            traceparent=data.pop("traceparent", cause.traceparent),
            **data,
        )

    @property
    def subject(self) -> str:
        """Where it is published."""
        return f"comms.{self.organisation}.{self.name}"

    @classmethod
    def pattern(cls, organisation: str = "*") -> str:
        """The subject to read it at, for one organisation or all."""
        return f"comms.{organisation}.{cls.name}"


class Actor(Value):
    """Who asks, as the edge proved it from a token: the tier and the token's id. Whoever says nothing may least."""

    tier: str = "agent"
    token: str = ""


R = TypeVar("R", bound=BaseModel)


class Request(Value, Generic[R]):
    """What orders and queries share: an organisation taken from the token, never from an argument, and a reply type."""

    name: ClassVar[str]
    kind: ClassVar[str]
    everyone: ClassVar[bool] = False
    """Whether every replica of the owner does its part, and the first that has answers."""
    reply: ClassVar[TypeAdapter[Any]]
    organisation: str
    actor: Actor = Actor()
    id: str = Field(default_factory=lambda: ids.random("req"))
    traceparent: str = Field(default_factory=ids.trace_parent)

    def __init_subclass__(cls, *, subject: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if subject:
            _bind(requests, cls, subject)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        for base in cls.__mro__:
            arguments = getattr(base, "__pydantic_generic_metadata__", {}).get("args", ())
            if arguments and not isinstance(arguments[0], TypeVar):
                cls.reply = TypeAdapter(arguments[0])
                return

    @property
    def subject(self) -> str:
        """Where it is asked."""
        return f"{self.kind}.{self.organisation}.{self.name}"

    @classmethod
    def pattern(cls) -> str:
        """The subject its owner serves, for all organisations."""
        return f"{cls.kind}.*.{cls.name}"

    @classmethod
    def owner(cls) -> str:
        """The one service that answers."""
        return cls.name.partition(".")[0]


class Order(Request[R], Generic[R]):
    """Imperative, for one service, answered after its commit. The same `key` means the same intent.

    `key` is the caller's idempotency key or one derived from the arguments (`key_derived`); a derived key counts for
    ten minutes only. `id` stays the same when the edge asks again for want of an answer. An order is refused after
    `not_after`.
    """

    kind: ClassVar[str] = "orders"
    patience: ClassVar[float] = 2.0
    """Seconds one try waits for the answer, before the order is asked again with the same id."""
    shared: ClassVar[bool] = False
    """Whether several may share a message: for what comes by the hundred, and is answered at once with little."""
    key: str = ""
    key_derived: bool = False
    not_after: datetime | None = None

    @property
    def answered_within(self) -> float:
        """Seconds to wait for the answer to one try."""
        return self.patience


class Query(Request[R], Generic[R]):
    """Asks without effect; the caller sets a deadline."""

    kind: ClassVar[str] = "queries"


def _bind(catalogue: dict[str, Any], cls: Any, subject: str) -> None:
    if not _SUBJECT.fullmatch(subject):
        raise TypeError(f"{cls.__name__}: subject {subject!r} is not <domain>.v<N>.<entity>.<verb>")
    known = catalogue.get(subject)
    if known is not None and known.__qualname__ != cls.__qualname__:
        raise TypeError(f"{cls.__name__}: subject {subject!r} already belongs to {known.__name__}")
    cls.name = subject
    catalogue[subject] = cls


def reply_type(cls: type[Request[Any]]) -> Any:
    """The class a request is answered with."""
    for base in cls.__mro__:
        arguments = getattr(base, "__pydantic_generic_metadata__", {}).get("args", ())
        if arguments:
            return get_args(arguments[0]) if get_origin(arguments[0]) else arguments[0]
    raise TypeError(f"{cls.__name__} names no reply")
