"""Bringing news into the books: postings, counters, usage and their events in one transaction.

Every effect is named by what caused it, so news heard twice, or in another order, changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

from common.catalogue.audit import AlertRaised
from common.catalogue.billing import UsagePosted
from common.catalogue.values import Money
from common.db import Tx
from common.messages import Event

from billing import charges as rules
from billing import periods
from billing import rents as rent_rules
from billing.caps import Need
from billing.charges import Charge, Posting
from billing.rents import Rent
from billing.store import accounts, charges, counters, ledger, rents
from billing.store.counters import Move
from billing.store.rows import take_till

RENTS_AT_ONCE = 50
"""Numbers whose rent is posted in one transaction, so that nobody waits long for it."""


def learn(tx: Tx, news: Charge, traceparent: str) -> bool:
    """Add what an event or order says of a charge; False when it was known."""
    take_till(tx)
    known = charges.find(tx, news.organisation, news.hold)
    now = rules.learn(known, news)
    if now == known:
        return False
    charges.save(tx, known, now)
    let_go = [] if known is None else [_held(known, -1)]
    _post(tx, rules.postings(now), traceparent, [*let_go, _held(now, 1)])
    return True


def post(tx: Tx, lines: list[Posting], traceparent: str) -> None:
    """Post what nobody held money for, over the caps if need be: it was spent."""
    take_till(tx)
    _post(tx, lines, traceparent, [])


def _post(tx: Tx, lines: list[Posting], traceparent: str, moves: list[Move]) -> None:
    fresh = ledger.append(tx, lines)
    counters.add(tx, [*moves, *(_used(line) for line in fresh)])
    tx.stage(*(_posted(tx, line, traceparent) for line in fresh))


def _held(charge: Charge, sign: int) -> Move:
    need = Need(sign * charge.reserved.money, sign * charge.reserved.messages)
    return Move(charge.organisation, charge.agent, charge.at, held=need)


def _used(line: Posting) -> Move:
    return Move(line.organisation, line.agent, line.at, used=Need(line.billed, line.messages))


def _posted(tx: Tx, line: Posting, traceparent: str) -> UsagePosted:
    return UsagePosted.first(
        line.organisation,
        key=line.id,
        traceparent=traceparent,
        time=tx.now,
        posting=line.id,
        agent=line.agent,
        kind=line.kind,
        quantity=line.quantity,
        cost=Money(micros=line.cost),
        billed=Money(micros=line.billed),
        correction=line.correction,
    )


def price(tx: Tx, charge: Charge) -> int | None:
    """What the provider said the act cost, as far as the books know."""
    known = charges.find(tx, charge.organisation, charge.hold)
    return None if known is None else known.price


def markup(tx: Tx, organisation: str) -> int:
    """The organisation's markup now, in basis points."""
    return accounts.find(tx, organisation)[0].markup


def alert(tx: Tx, cause: Event, code: str, summary: str, subject: str) -> None:
    """Ask for a person's eye; the books stay as they are."""
    tx.stage(AlertRaised.after(cause, key=code, severity="medium", code=code, summary=summary, subject_id=subject))


# rent


def rent(tx: Tx, news: Rent) -> None:
    """Add what an event says of a number's rent, and give back months posted after its end."""
    take_till(tx)
    known = rents.find(tx, news.organisation, news.purchase)
    now = rent_rules.learn(known, news)
    given_back = rent_rules.overpaid(now)
    posted = [ledger.find(tx, rent_rules.posting(now, month, 0).id) for month in given_back]
    _post(tx, [rent_rules.reversal(line) for line in posted if line is not None], "", [])
    if given_back:
        now = replace(now, next_month=given_back[0])
    if now != known:
        rents.save(tx, known, now)


def post_rents(tx: Tx) -> int:
    """Post rent that has come due, each month of each number once; says for how many numbers."""
    take_till(tx)
    owing = rents.due(tx, rent_rules.month_of(tx.now), RENTS_AT_ONCE)
    for owed in owing:
        months = rent_rules.due(owed, rent_rules.month_of(tx.now))
        basis_points = markup(tx, owed.organisation)
        _post(tx, [rent_rules.posting(owed, month, basis_points) for month in months], "", [])
        rents.save(tx, owed, replace(owed, next_month=periods.following(months[-1])))
    return len(owing)
