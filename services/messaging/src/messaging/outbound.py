"""An agent sends: every reason not to, then the money, then one commit that takes the text on.

Refusals leave no message and no stored answer: the same key may be used again once the reason is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from common import ids, replies, segments
from common.bus import Bus
from common.catalogue.billing import Authorize, Decision
from common.catalogue.messages import MessageAccepted, SendMessage, SendReply
from common.catalogue.values import Address, Money, Step
from common.crash import crash
from common.db import Database, Tx
from common.directory import Route
from common.errors import Rejected, Unavailable
from sqlalchemy.exc import IntegrityError

from messaging import intents
from messaging.dispatch import Dispatcher
from messaging.domain import destinations
from messaging.foreground import Foreground
from messaging.lanes import Lanes, agent_lane
from messaging.owners import Owners
from messaging.places import Places
from messaging.store import consent, contacts, history, messages, operations
from messaging.store.consent import Pair
from messaging.store.contacts import Place
from messaging.store.operations import Task

_BILLING = 4.0
"""Seconds for billing to answer: within what the one who asks us waits."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What the tables say before anything is decided."""

    earlier: SendReply | None = None
    to: Address | None = None
    place: Place | None = None
    refused: Rejected | None = None
    countries: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    """A text that may be sent, as far as we are concerned."""

    operation: str
    route: Route
    sender: Address
    to: Address
    place: Place | None
    country: str
    segments: int


class Outbound:
    """Takes texts on. `accepted` means: recorded, paid for, on its way to the dispatcher."""

    def __init__(
        self,
        database: Database,
        lanes: Lanes,
        bus: Bus,
        owners: Owners,
        places: Places,
        dispatcher: Dispatcher,
        *,
        foreground: Foreground,
        retry_for: timedelta,
    ) -> None:
        self._database, self._bus, self._owners, self._places = database, bus, owners, places
        self._lanes, self._dispatcher, self._retry_for = lanes, dispatcher, retry_for
        self._foreground = foreground

    async def send(self, order: SendMessage) -> SendReply:
        """Take on a text, say what it repeats, or refuse it with a reason an agent can act on."""
        with self._foreground.answering():
            return await self._send(order)

    async def _send(self, order: SendMessage) -> SendReply:
        route = await self._owners.route_of(order.organisation, order.agent)
        wanted = _wanted(order)
        known = await self._database.read(lambda tx: self._look(tx, order, wanted))
        if known.earlier:
            return known.earlier
        crash("o1")
        plan = self._plan(order, route, known)
        crash("o2")
        decision = await self._authorize(order, plan)
        crash("o3")
        return await self._accept(order, plan, decision)

    def _look(self, tx: Tx, order: SendMessage, wanted: Address | None) -> _Known:
        if earlier := intents.earlier(tx, order):
            return _Known(earlier=earlier)
        to = wanted or contacts.address_of(tx, order.organisation, order.agent, order.thread)
        place = self._places.get(order.organisation, order.agent, to)
        contact = place.contact if place else contacts.find_contact(tx, order.organisation, to)
        pair = Pair(order.organisation, order.agent, order.channel, contact or "")
        return _Known(
            to=to,
            place=place,
            refused=consent.refusal(tx, pair),
            countries=consent.countries(tx, order.organisation),
        )

    def _plan(self, order: SendMessage, route: Route, known: _Known) -> _Plan:
        """`Rejected` for anything that forbids the text."""
        sender = self._owners.sending_address(route)
        to = Address.recipient(known.to.value if known.to else "")
        if to.value == sender.value or self._owners.is_ours(order.organisation, to):
            raise Rejected("this number is one of your own agents'; agents do not text each other", code="own_number")
        if known.refused:
            raise known.refused
        return _Plan(
            operation=intents.operation_of(order),
            route=route,
            sender=sender,
            to=to,
            place=known.place,
            country=destinations.check(to.value, sender.value, known.countries),
            segments=segments.count(order.body),
        )

    async def _authorize(self, order: SendMessage, plan: _Plan) -> Decision:
        asked = Authorize(
            organisation=order.organisation,
            actor=order.actor,
            id=ids.derived("authorize", plan.operation),
            traceparent=order.traceparent,
            key=plan.operation,
            hold=plan.operation,
            agent=order.agent,
            charge="sms_out",
            quantity=plan.segments,
            sender=plan.sender.value,
            to=plan.to.value,
            country=plan.country,
        )
        try:
            decision = await self._bus.order(asked, total=_BILLING)
        except Unavailable as error:
            raise Unavailable(
                "billing does not answer now; nothing was sent; try again", code="billing_unavailable"
            ) from error
        if not decision.allowed:
            raise _too_much(decision)
        return decision

    async def _accept(self, order: SendMessage, plan: _Plan, decision: Decision) -> SendReply:
        claimed = self._dispatcher.room > 0
        try:
            lane, now = agent_lane(order.organisation, order.agent), datetime.now(UTC)
            commit = partial(self._commit, order=order, plan=plan, held=decision.held, claimed=claimed)
            reply, task = await self._lanes.write(lane, now, commit)
        except IntegrityError:  # the same intent was committed a moment ago under another operation
            reply, task = await self._database.write(lambda tx: intents.too_late(tx, order, plan.operation)), None
        crash("o4")
        if task:
            self._places.put(order.organisation, order.agent, plan.to, Place(task.contact, task.thread))
            if claimed:
                self._dispatcher.take(task)
        return reply

    def _commit(
        self, tx: Tx, order: SendMessage, plan: _Plan, held: Money, claimed: bool
    ) -> tuple[SendReply, Task | None]:
        """Operation, message, reply and event; or the reply of the same request, if it was faster on another way."""
        messages.lock_agent(tx, order.organisation, order.agent)
        place = plan.place or contacts.place(tx, order.organisation, order.agent, plan.to)
        task = self._task(tx, order, plan, place, fence=1 if claimed else 0)
        if not operations.add(tx, task, tx.now + self._dispatcher.lease if claimed else tx.now):
            return intents.too_late(tx, order, plan.operation), None
        _store(tx, task, held)
        tx.stage(_accepted(order, plan, task))
        reply = SendReply(
            message=task.message, thread=task.thread, status="accepted", segments=task.segments, held=held
        )
        return replies.store(tx, order, reply, order.agent), task

    def _task(self, tx: Tx, order: SendMessage, plan: _Plan, place: Place, *, fence: int) -> Task:
        return Task(
            operation=plan.operation,
            fence=fence,
            organisation=order.organisation,
            agent=order.agent,
            message=ids.derived("message", plan.operation),
            thread=place.thread,
            contact=place.contact,
            channel=order.channel,
            route=plan.route.route,
            provider=plan.route.provider,
            account=plan.route.account,
            sender=plan.sender.value,
            recipient=plan.to.value,
            body=order.body,
            segments=plan.segments,
            tries=0,
            deadline=_earliest(tx.now + self._retry_for, order.not_after),
            created_at=tx.now,
            traceparent=order.traceparent,
        )


def _wanted(order: SendMessage) -> Address | None:
    """The number given, or None when a thread was; `Rejected` for both or neither."""
    if bool(order.to) == bool(order.thread):
        raise Rejected("give either `to` or `thread`", code="bad_address")
    return destinations.recipient(order.to) if order.to else None


def _too_much(decision: Decision) -> Rejected:
    return Rejected(f"not sent: {decision.sentence()}", code=decision.code or "cap_reached")


def _earliest(limit: datetime, not_after: datetime | None) -> datetime:
    return min(limit, not_after) if not_after else limit


def _store(tx: Tx, task: Task, held: Money) -> None:
    messages.add(
        tx,
        message=task.message,
        organisation=task.organisation,
        agent=task.agent,
        cursor=messages.next_cursor(tx, task.organisation, task.agent),
        thread=task.thread,
        contact=task.contact,
        direction="out",
        channel=task.channel,
        sender=task.sender,
        recipient=task.recipient,
        body=task.body,
        segments=task.segments,
        status="accepted",
        at=tx.now,
    )
    price = f"{held.micros / 1_000_000:.6f} {held.currency}"
    money = Step(at=tx.now, what="money held", detail=f"{price} for {task.segments} segments")
    history.notes(tx, [(task.message, money), (task.message, Step(at=tx.now, what="accepted"))])


def _accepted(order: SendMessage, plan: _Plan, task: Task) -> MessageAccepted:
    return MessageAccepted.after(
        order,
        operation=task.operation,
        message=task.message,
        agent=task.agent,
        thread=task.thread,
        contact=task.contact,
        channel=task.channel,
        sender=plan.sender,
        to=plan.to,
        segments=task.segments,
    )
