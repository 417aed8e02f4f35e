"""Holding money before an act. A refusal changes nothing; what was allowed is allowed again under the same name."""

from __future__ import annotations

from datetime import datetime

from common.catalogue.billing import Authorize, Decision
from common.catalogue.values import Money
from common.db import Tx
from common.errors import Conflict, Rejected, Unavailable

from billing import caps, prices, rates
from billing.charges import Charge, learn, messages_in
from billing.money import with_markup
from billing.prices import Quote
from billing.store import accounts, charges, counters
from billing.store.accounts import Account
from billing.store.rows import take_till
from billing.terms import Terms


def quote(order: Authorize) -> Quote | None:
    """What the act costs; None when the book has no price for it."""
    if not order.agent or not order.hold:
        raise Rejected("name the agent and the hold", code="invalid")
    return prices.quote(order.charge, order.quantity, country=order.country, to=_number(order))


def authorize(tx: Tx, order: Authorize, quote: Quote | None, terms: Terms) -> Decision:
    """Hold the worst case, or say why not and until when."""
    take_till(tx)
    known = charges.find(tx, order.organisation, order.hold)
    if known is not None and known.state != "expected":
        return _again(known, order)
    if quote is None:
        return Decision(allowed=False, code="no_price", reason=_no_price(order))
    pair = accounts.find(tx, order.organisation, order.agent)
    limited = messages_in(order.charge) > 0 and order.actor.tier != "operator"
    charge = _charge(order, quote, pair[0].markup, tx.now)
    refused = (_too_fast(pair, terms, tx.now) if limited else None) or _over_cap(tx, charge, pair, terms)
    if refused is not None:
        return refused
    if limited:
        _tick(tx, order, pair, terms)
    charges.save(tx, known, learn(known, charge))
    return Decision(allowed=True, held=Money(micros=charge.held))


def _again(known: Charge, order: Authorize) -> Decision:
    """The same decision under the same name; never money for something else, nor for what was already let go."""
    if known.state == "released":
        raise Conflict("this hold was let go; use a new name", code="hold_released")
    if (known.agent, known.kind, known.quantity) != (order.agent, order.charge, order.quantity):
        raise Conflict("this hold names another act; use a new name", code="key_reused")
    return Decision(allowed=True, held=Money(micros=known.held))


def _number(order: Authorize) -> str:
    return order.to or (order.sender if order.charge == "number_rent" else "")


def _no_price(order: Authorize) -> str:
    place = order.country.upper() or prices.country_of(_number(order))
    where = f"for {place}" if place else "because its country is not known"
    return f"the price book has no {order.charge} price {where}, so it is refused"


def _charge(order: Authorize, quote: Quote, markup: int, now: datetime) -> Charge:
    return Charge(
        organisation=order.organisation,
        hold=order.hold,
        at=now,
        state="open",
        agent=order.agent,
        kind=order.charge,
        quantity=order.quantity,
        cost=quote.cost,
        held=with_markup(quote.worst, markup),
        markup=markup,
        authorised=True,
    )


def _over_cap(tx: Tx, charge: Charge, pair: tuple[Account, Account], terms: Terms) -> Decision | None:
    """One conditional statement decides; only when it moved nothing is it asked why."""
    organisation, agent = pair
    in_force = caps.in_force(terms.limits("organisation", organisation.limits), "organisation", tx.now)
    in_force += caps.in_force(terms.limits("agent", agent.limits), "agent", tx.now)
    place = (charge.organisation, charge.agent)
    if counters.reserve(tx, *place, charge.worst, in_force):
        return None
    refused = caps.refusal(in_force, counters.find(tx, *place), charge.worst)
    if refused is not None:
        return refused
    counters.open_counters(tx, *place)
    if not counters.reserve(tx, *place, charge.worst, in_force):
        raise Unavailable("the caps were reached this very moment; ask again", code="raced")
    return None


def _too_fast(pair: tuple[Account, Account], terms: Terms, now: datetime) -> Decision | None:
    organisation, agent = pair
    free = {
        "organisation": rates.free_at(terms.rate("organisation", organisation.limits), organisation.tat),
        "agent": rates.free_at(terms.rate("agent", agent.limits), agent.tat),
    }
    scope, retry_at = max(free.items(), key=lambda one: one[1])
    if retry_at <= now:
        return None
    reason = f"the {scope} sends faster than its rate"
    return Decision(allowed=False, code="rate_limited", reason=reason, retry_at=retry_at)


def _tick(tx: Tx, order: Authorize, pair: tuple[Account, Account], terms: Terms) -> None:
    """Count the send, with the condition in the statement; losing a race undoes the whole transaction."""
    if any(account.new for account in pair):
        accounts.open_accounts(tx, order.organisation, "", order.agent)
    organisation, agent = pair
    moved = accounts.tick(tx, order.organisation, "", terms.rate("organisation", organisation.limits))
    if not (moved and accounts.tick(tx, order.organisation, order.agent, terms.rate("agent", agent.limits))):
        raise Unavailable("others were faster; ask again", code="raced")
