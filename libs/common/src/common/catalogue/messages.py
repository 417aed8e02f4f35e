"""Texts in and out: what the gateway hears, what messaging owns, what agents and operators ask for."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from common.catalogue.values import Address, Channel, Done, Media, Money, Step, Trust
from common.messages import Event, Order, Query, Value

ProviderStatus = Literal["queued", "sending", "sent", "delivered", "undelivered", "failed", "read", "canceled"]
"""What a provider says became of a text it took. Only moves forward, see messaging."""

OutboundStatus = Literal["accepted", "sending", "unknown", "sent", "delivered", "undelivered", "failed", "refused"]
"""What we say: `refused` never left us, `failed` was not sent, `unknown` left without an answer."""


# what the gateway hears


class SmsReceived(Event, subject="messages.v1.sms.received"):
    """A provider delivered a text for one of our addresses; its signature was verified."""

    route: str
    account: str
    provider: str
    provider_id: str
    sender: Address
    to: Address
    body: str
    segments: int = 1
    media: list[Media] = Field(default_factory=list)
    keyword: Literal["stop", "start", "help"] | None = None
    """The provider's own opinion of an opt-out word, where it has one."""


class SmsStatusReported(Event, subject="messages.v1.sms-status.reported"):
    """A provider reported what became of a text we sent; reports repeat and overtake each other."""

    route: str
    attempt: str
    account: str
    provider: str
    provider_id: str
    status: ProviderStatus
    error_code: str = ""


# what messaging makes true


class MessageReceived(Event, subject="messages.v1.message.received"):
    """A text is in an agent's inbox, at `cursor`, until the agent acknowledges it."""

    message: str
    agent: str
    thread: str
    contact: str
    cursor: int
    channel: Channel
    sender: Address
    to: Address
    body: str
    media: list[Media] = Field(default_factory=list)
    segments: int
    trust: Trust
    provider: str
    provider_id: str


class MessagesAcknowledged(Event, subject="messages.v1.inbox.acknowledged"):
    """An agent has dealt with these messages; they are not handed out again."""

    agent: str
    messages: list[str]


class MessageAccepted(Event, subject="messages.v1.message.accepted"):
    """We took on to send a text; money is held for it under `operation`."""

    operation: str
    message: str
    agent: str
    thread: str
    contact: str
    channel: Channel
    sender: Address
    to: Address
    segments: int


class MessageSent(Event, subject="messages.v1.message.sent"):
    """The provider took the text under `provider_id`. Billing captures the hold of `operation`."""

    operation: str
    message: str
    attempt: str
    agent: str
    channel: Channel
    provider: str
    provider_id: str
    segments: int


class MessageNotSent(Event, subject="messages.v1.message.not-sent"):
    """The text was not sent and will not be. Billing releases the hold of `operation`."""

    operation: str
    message: str
    attempt: str = ""
    agent: str
    channel: Channel
    code: str
    reason: str


class MessageUncertain(Event, subject="messages.v1.message.uncertain"):
    """The text left us and no answer came: it is never sent again by itself; a resolver, then a person, decides."""

    operation: str
    message: str
    attempt: str
    agent: str
    channel: Channel
    person_decides_at: datetime


class MessageStatusChanged(Event, subject="messages.v1.message.status-changed"):
    """The status of a sent text moved forward."""

    operation: str
    message: str
    agent: str
    status: OutboundStatus
    error_code: str = ""


class MessagePriced(Event, subject="messages.v1.message.priced"):
    """The provider said what a text cost us; prices come late. Billing settles the difference."""

    operation: str
    message: str
    attempt: str
    agent: str
    price: Money


class OperationAbandoned(Event, subject="messages.v1.operation.abandoned"):
    """Money may be held for an operation that was never accepted. Billing releases it."""

    operation: str


class ConsentChanged(Event, subject="messages.v1.consent.changed"):
    """A contact opted out of, or back into, one of our addresses; `evidence` says how."""

    contact: str
    address: Address
    ours: Address
    channel: Channel
    opted_in: bool
    evidence: str


class KillSwitchChanged(Event, subject="messages.v1.kill-switch.changed"):
    """Sending was stopped, or allowed again, for an agent or (agent empty) the whole organisation."""

    agent: str
    channel: Channel
    stopped: bool
    reason: str


# orders


class SendReply(Value):
    """What became of the wish to send. `accepted` means: recorded, paid for, on its way to the provider."""

    message: str
    thread: str
    status: OutboundStatus
    segments: int
    held: Money
    duplicate_of: str = ""
    """The message this repeats: nothing new was sent. Give another `idempotency_key` to send it anyway."""


class SendMessage(Order[SendReply], subject="messaging.v1.message.send"):
    """Send a text as an agent, to a number (or to the contact of a thread)."""

    shared: ClassVar[bool] = True
    agent: str
    to: str = ""
    thread: str = ""
    body: str = Field(min_length=1, max_length=1600)
    channel: Channel = "sms"


class InboxMessage(Value):
    """A message as its agent sees it."""

    message: str
    cursor: int
    thread: str
    contact: str
    direction: Literal["in", "out"]
    channel: Channel
    sender: str
    to: str
    body: str
    media: list[Media] = Field(default_factory=list)
    status: str
    at: datetime
    trust: Trust | None = None
    deliveries: int = 0
    """How often it was handed out before this time; above zero: an earlier holder did not acknowledge it."""


class Waiting(Value):
    """Messages handed out under a lease: acknowledge them before `leased_until`, or they are handed out again."""

    messages: list[InboxMessage]
    lease: str = ""
    leased_until: datetime | None = None
    next_lease_ends_at: datetime | None = None
    """When nothing is free: the time the first lease of another holder ends."""


class LeaseMessages(Order[Waiting], subject="messaging.v1.inbox.lease"):
    """Hand out the oldest unacknowledged messages that nobody holds, in order; before that, acknowledge these.

    When there are none, the answer waits for the first for `wait_s` seconds. Who gives up says `WithdrawLease`.
    """

    agent: str
    limit: int = Field(default=20, ge=1, le=100)
    lease_seconds: int = Field(default=60, ge=1, le=900)
    acknowledge: list[str] = Field(default=[], max_length=100)
    wait_s: float = Field(default=0, ge=0, le=60)

    @property
    def answered_within(self) -> float:
        """As any order, once there is something to hand out."""
        return super().answered_within + self.wait_s


class WithdrawLease(Order[Done], subject="messaging.v1.inbox.withdraw"):
    """Nobody wants the answer to the `LeaseMessages` with id `lease_order`: end its wait, free what it was handed."""

    everyone: ClassVar[bool] = True
    agent: str
    lease_order: str


class AcknowledgeMessages(Order[Done], subject="messaging.v1.inbox.acknowledge"):
    """These messages are dealt with. Repeating it is harmless; a message of another agent is not found."""

    shared: ClassVar[bool] = True
    agent: str
    messages: list[str] = Field(min_length=1, max_length=100)


class RecordConsent(Order[Done], subject="messaging.v1.consent.record"):
    """An operator or organisation states that a contact allowed texts from this agent, and how it knows."""

    agent: str
    address: str
    evidence: str = Field(min_length=3, max_length=2000)


class RevokeConsent(Order[Done], subject="messaging.v1.consent.revoke"):
    """No more texts from this agent to this address."""

    agent: str
    address: str
    evidence: str = Field(default="revoked by request", min_length=3, max_length=2000)


class SetKillSwitch(Order[Done], subject="messaging.v1.kill-switch.set"):
    """Stop, or allow again, all sending of an agent, or of the organisation when `agent` is empty."""

    agent: str = ""
    channel: Channel = "sms"
    stopped: bool
    reason: str = Field(min_length=3, max_length=500)


class SetDestinations(Order[Done], subject="messaging.v1.destinations.set"):
    """The countries (ISO 3166 alpha-2) this organisation may text. Everything else is refused."""

    countries: list[str]


class DecideUnknown(Order[Done], subject="messaging.v1.operation.decide"):
    """A person says what became of a text whose outcome nobody could find out."""

    message: str
    sent: bool
    provider_id: str = ""
    reason: str = Field(min_length=3, max_length=500)


# queries


class Messages(Value):
    """A page of an agent's messages, oldest first; give `cursor` as `after` to go on."""

    messages: list[InboxMessage]
    cursor: int
    more: bool


class GetMessages(Query[Messages], subject="messaging.v1.message.list"):
    """An agent's messages, read without taking them: a thread's history, or everything after a cursor (replay)."""

    agent: str
    thread: str = ""
    after: int = Field(default=0, ge=0)
    limit: int = Field(default=20, ge=1, le=100)


class MessageTrace(Value):
    """Everything that happened to one message, in order."""

    message: str
    direction: Literal["in", "out"]
    status: str
    provider_id: str = ""
    steps: list[Step]


class TraceMessage(Query[MessageTrace], subject="messaging.v1.message.trace"):
    """Follow one message of an agent (or, with an empty agent, of the organisation)."""

    agent: str = ""
    message: str


class Consent(Value):
    """Whether an agent may text an address now, and why."""

    opted_in: bool
    since: datetime | None = None
    evidence: str = ""


class CheckConsent(Query[Consent], subject="messaging.v1.consent.check"):
    """May this agent text this address?"""

    agent: str
    address: str


class Unresolved(Value):
    """A text whose outcome is not known yet."""

    message: str
    agent: str
    since: datetime
    person_decides_at: datetime
    overdue: bool


class UnresolvedList(Value):
    """Oldest first."""

    unresolved: list[Unresolved]


class ListUnresolved(Query[UnresolvedList], subject="messaging.v1.operation.unresolved"):
    """The texts of an organisation that wait for a resolver or a person."""


class OperationState(Value):
    """What messaging knows of an operation billing holds money for."""

    known: bool
    ended: bool = False


class GetOperation(Query[OperationState], subject="messaging.v1.operation.get"):
    """Asked by billing before it lets an old hold go."""

    operation: str
