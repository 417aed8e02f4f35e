"""Orders: hold, settle, and the terms set by operators for organisations and by organisations for their agents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from common import replies
from common.bus import Bus
from common.catalogue.billing import (
    Authorize,
    Decision,
    LimitsChanged,
    SetBillingConfig,
    SetLimits,
    SettleHold,
)
from common.catalogue.values import Done
from common.crash import crash
from common.db import Database, Tx
from common.errors import NotFound, Rejected
from common.messages import Order

from billing import books, holds
from billing.store import accounts, charges
from billing.store.rows import take_till
from billing.terms import Terms

O = TypeVar("O", bound=Order[Done])  # noqa: E741 - an order


def register(bus: Bus, database: Database, terms: Terms) -> None:
    """Serve every order of billing."""

    async def authorize(order: Authorize) -> Decision:
        quote = holds.quote(order)
        decision = await database.write(lambda tx: holds.authorize(tx, order, quote, terms))
        crash("o3")
        return decision

    async def settle(order: SettleHold) -> Done:
        return await database.write(lambda tx: settle_hold(tx, order))

    async def limits(order: SetLimits) -> Done:
        if not order.agent:
            _operators_alone(order)
        return await database.write(lambda tx: _once(tx, order, set_limits))

    async def config(order: SetBillingConfig) -> Done:
        _operators_alone(order)
        return await database.write(lambda tx: _once(tx, order, set_config))

    bus.serve(Authorize, authorize)
    bus.serve(SettleHold, settle)
    bus.serve(SetLimits, limits)
    bus.serve(SetBillingConfig, config)


def settle_hold(tx: Tx, order: SettleHold) -> Done:
    """Capture or release a hold by name."""
    take_till(tx)
    known = charges.find(tx, order.organisation, order.hold)
    if known is None:
        raise NotFound("there is no such hold", code="not_found")
    news = replace(known, state="captured" if order.captured else "released")
    return Done(changed=books.learn(tx, news, order.traceparent))


def set_limits(tx: Tx, order: SetLimits) -> Done:
    """Replace the caps of an agent or the organisation, and say so."""
    organisation, agent = accounts.find(tx, order.organisation, order.agent)
    if (agent if order.agent else organisation).limits == order.limits:
        return Done(changed=False)
    accounts.set_limits(tx, order.organisation, order.agent, order.limits)
    tx.stage(LimitsChanged.after(order, agent=order.agent, limits=order.limits))
    return Done()


def set_config(tx: Tx, order: SetBillingConfig) -> Done:
    """Replace the markup; what is held already keeps the one it was held with."""
    markup = round(order.markup_percent * 100)
    if abs(markup - order.markup_percent * 100) > 1e-6:
        raise Rejected("give the markup with at most two decimals, such as 12.5", code="invalid")
    changed = books.markup(tx, order.organisation) != markup
    if changed:
        accounts.set_markup(tx, order.organisation, markup)
    return Done(changed=changed)


def _operators_alone(order: Order[Done]) -> None:
    """Who owns the installation decides what a tenant may spend and pays; a tenant only divides it among its agents."""
    if order.actor.tier != "operator":
        raise Rejected(
            "the caps and the markup of a whole organisation are set by an operator; name an agent to cap one",
            code="operator_only",
        )


def _once(tx: Tx, order: O, work: Callable[[Tx, O], Done]) -> Done:
    """Setting is repeated by a request or key of the caller's own.

    A key derived from the arguments means nothing here: who sets 5, then 10, then 5 again wants 5.
    """
    take_till(tx)
    keyed = order.model_copy(update={"key": ""}) if order.key_derived else order
    known = replies.recall(tx, keyed)
    return known[0] if known else replies.store(tx, keyed, work(tx, order))
