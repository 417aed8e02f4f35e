"""Number rent: the month of purchase is the hold's; every UTC month that begins after it is owed once. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from common import ids

from billing import periods
from billing.charges import Posting
from billing.money import with_markup

BATCH_MONTHS = 24
"""Most months of one number posted in one transaction, after a very long sleep."""


@dataclass(frozen=True, slots=True)
class Rent:
    """One purchase. `next_month` is the first not yet posted, `last_month` the one it was given back in, if it was.

    `monthly` is none while only its end is known: events may come in any order.
    """

    organisation: str
    purchase: str
    next_month: str
    agent: str = ""
    monthly: int | None = None
    last_month: str | None = None


def month_of(moment: datetime) -> str:
    """The name of its UTC month."""
    return periods.month(moment).name


def bought(organisation: str, purchase: str, agent: str, monthly: int, at: datetime) -> Rent:
    """What a purchase says."""
    return Rent(organisation, purchase, periods.following(month_of(at)), agent, monthly)


def released(organisation: str, purchase: str, at: datetime) -> Rent:
    """What giving a number back says."""
    return Rent(organisation, purchase, periods.following(month_of(at)), last_month=month_of(at))


def learn(known: Rent | None, news: Rent) -> Rent:
    """What is known together: the order of the two does not matter, and the first of each stays."""
    if known is None:
        return news
    last_month = known.last_month or news.last_month
    details = news if known.monthly is None and news.monthly is not None else known
    return replace(details, last_month=last_month)


def due(rent: Rent, this_month: str) -> list[str]:
    """The months owed up to now and not posted, oldest first."""
    last = min(this_month, rent.last_month or this_month)
    return periods.between(rent.next_month, last)[:BATCH_MONTHS] if rent.monthly is not None else []


def overpaid(rent: Rent) -> list[str]:
    """The months posted although the number was given back before them: the news of it came late."""
    if rent.monthly is None or rent.last_month is None:
        return []
    return periods.between(periods.following(rent.last_month), rent.next_month)[:-1]


def posting(rent: Rent, month: str, markup: int) -> Posting:
    """One month's rent, dated on its first day."""
    cost = rent.monthly or 0
    return Posting(
        id=ids.derived("rent", rent.organisation, rent.purchase, month),
        organisation=rent.organisation,
        agent=rent.agent,
        kind="number_rent",
        quantity=1,
        cost=cost,
        billed=with_markup(cost, markup),
        at=periods.start(month),
        hold=rent.purchase,
    )


def reversal(line: Posting) -> Posting:
    """Takes one month's rent back."""
    return replace(
        line,
        id=ids.derived("rent-back", line.id),
        quantity=-line.quantity,
        cost=-line.cost,
        billed=-line.billed,
        correction=True,
    )
