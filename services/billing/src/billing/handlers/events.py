"""What others did, brought into the books. No inbox: every effect here is named by its cause and happens once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from common import ids
from common.bus import Bus
from common.catalogue.messages import (
    MessageNotSent,
    MessagePriced,
    MessageReceived,
    MessageSent,
    OperationAbandoned,
)
from common.catalogue.provisioning import NumberBought, NumberReleased
from common.catalogue.values import Money
from common.crash import crash
from common.db import Database, Tx
from common.messages import Event

from billing import books, prices, rents
from billing.charges import Charge, Posting
from billing.money import with_markup

E = TypeVar("E", bound=Event)

CURRENCY = "USD"

_PACE = 0.25
"""Seconds events may gather and be posted together: nobody waits for them, and a commit costs as much as ten."""


def register(bus: Bus, database: Database) -> None:
    """Read what moves money."""

    def on(event: type[E], durable: str, record: Callable[[Tx, E], None]) -> None:
        async def handle(heard: E) -> None:
            await database.write(lambda tx: record(tx, heard))
            crash("b2")

        bus.subscribe(event, durable, handle, pace=_PACE)

    on(MessageSent, "capture-sent", message_sent)
    on(MessageNotSent, "release-not-sent", message_not_sent)
    on(OperationAbandoned, "release-abandoned", operation_abandoned)
    on(MessagePriced, "correct-price", message_priced)
    on(MessageReceived, "post-inbound", message_received)
    on(NumberBought, "start-rent", number_bought)
    on(NumberReleased, "stop-rent", number_released)


def message_sent(tx: Tx, event: MessageSent) -> None:
    """Capture the hold of the operation; without one, post what we can estimate."""
    news = Charge(
        organisation=event.organisation,
        hold=event.operation,
        at=event.time,
        state="captured",
        agent=event.agent,
        quantity=event.segments,
        cost=prices.sms_out_unplaced(event.segments),
        markup=books.markup(tx, event.organisation),
    )
    books.learn(tx, news, event.traceparent)


def message_not_sent(tx: Tx, event: MessageNotSent) -> None:
    """Release the hold of the operation."""
    news = Charge(event.organisation, event.operation, event.time, "released", event.agent)
    books.learn(tx, news, event.traceparent)


def operation_abandoned(tx: Tx, event: OperationAbandoned) -> None:
    """Release the hold; should it be asked for only now, it will be refused."""
    books.learn(tx, Charge(event.organisation, event.operation, event.time, "released"), event.traceparent)


def message_priced(tx: Tx, event: MessagePriced) -> None:
    """Correct the estimate by what the provider says, now or when the text turns out to be sent."""
    if problem := _unusable(event.price):
        books.alert(tx, event, problem, f"price of a text not posted: {problem}", event.operation)
        return
    price = event.price.micros
    news = Charge(event.organisation, event.operation, event.time, "expected", event.agent, price=price)
    if not books.learn(tx, news, event.traceparent) and books.price(tx, news) != price:
        books.alert(tx, event, "price_changed", "a text was priced twice, differently; the first counts", news.hold)


def message_received(tx: Tx, event: MessageReceived) -> None:
    """Post the cost of a received text, over the caps if need be: nobody can refuse to be texted."""
    cost = prices.sms_in(event.segments)
    line = Posting(
        id=ids.derived("inbound", event.organisation, event.message),
        organisation=event.organisation,
        agent=event.agent,
        kind="sms_in",
        quantity=event.segments,
        cost=cost,
        billed=with_markup(cost, books.markup(tx, event.organisation)),
        at=event.time,
    )
    books.post(tx, [line], event.traceparent)


def number_bought(tx: Tx, event: NumberBought) -> None:
    """Capture the hold of the saga at the real price, and owe rent for every month that begins from now on."""
    problem = _unusable(event.monthly)
    monthly = None if problem else event.monthly.micros
    news = Charge(
        organisation=event.organisation,
        hold=event.saga,
        at=event.time,
        state="captured",
        agent=event.agent,
        kind="number_rent",
        quantity=1,
        cost=monthly or 0,
        markup=books.markup(tx, event.organisation),
        price=monthly,
    )
    books.learn(tx, news, event.traceparent)
    if monthly is None:
        books.alert(tx, event, problem, f"rent of a number not posted: {problem}", event.provider_id)
        return
    books.rent(tx, rents.bought(event.organisation, event.provider_id, event.agent, monthly, event.time))


def number_released(tx: Tx, event: NumberReleased) -> None:
    """Owe no rent for months after this one."""
    books.rent(tx, rents.released(event.organisation, event.provider_id, event.time))


def _unusable(price: Money) -> str:
    """Why an amount cannot be posted; empty when it can."""
    if price.currency != CURRENCY:
        return "price_currency"
    return "price_negative" if price.micros < 0 else ""
