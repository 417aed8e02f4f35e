"""A charge: everything known about one act that may cost money, under the name of its hold. Pure.

What is known only grows: `expected` < `open` < `released` < `captured`, and the first price stays. So events may come
in any order and any number of times, and the same postings follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from common import ids
from common.catalogue.billing import ChargeKind

from billing.caps import NOTHING, Need
from billing.money import with_markup

State = Literal["expected", "open", "released", "captured"]
"""`expected`: an event spoke of it before anyone asked. `captured` beats `released`: what was spent was spent."""

_ORDER: dict[State, int] = {"expected": 0, "open": 1, "released": 2, "captured": 3}


@dataclass(frozen=True, slots=True)
class Charge:
    """One act. `cost` is our estimate, `held` the worst case with markup, `price` what the provider said; micro-units.

    It counts in the periods of `at`: when it was held or, if it never was, when it happened.
    """

    organisation: str
    hold: str
    at: datetime
    state: State
    agent: str = ""
    kind: ChargeKind = "sms_out"
    quantity: int = 0
    cost: int = 0
    held: int = 0
    markup: int = 0
    authorised: bool = False
    price: int | None = None

    @property
    def reserved(self) -> Need:
        """What it keeps others from using."""
        return self.worst if self.state == "open" else NOTHING

    @property
    def worst(self) -> Need:
        """What must fit under every cap before it is allowed."""
        return Need(self.held, messages_in(self.kind))


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of the ledger: `cost` owed to the provider, `billed` owed by the organisation, the difference ours."""

    id: str
    organisation: str
    agent: str
    kind: ChargeKind
    quantity: int
    cost: int
    billed: int
    at: datetime
    hold: str = ""
    correction: bool = False

    @property
    def messages(self) -> int:
        """What it adds to the count of sent messages."""
        return 0 if self.correction else messages_in(self.kind)


def messages_in(kind: ChargeKind) -> int:
    """Message caps limit sending: only outbound texts count."""
    return 1 if kind == "sms_out" else 0


def learn(known: Charge | None, news: Charge) -> Charge:
    """What is known together: the order of the two does not matter."""
    if known is None:
        return news
    details = news if _tells_more(news, known) else known
    state = max(known.state, news.state, key=_ORDER.__getitem__)
    return replace(details, state=state, price=news.price if known.price is None else known.price)


def _tells_more(news: Charge, known: Charge) -> bool:
    """What was authorised is what counts; else what happened."""
    if known.authorised or news.authorised:
        return news.authorised and not known.authorised
    return news.state == "captured" and known.state != "captured"


def postings(charge: Charge) -> list[Posting]:
    """The lines of the ledger that follow: the estimate once it happened, and its difference to a known price."""
    if charge.state != "captured":
        return []
    captured = _posting(charge, "capture", charge.quantity, charge.cost, with_markup(charge.cost, charge.markup))
    if charge.price is None or charge.price == charge.cost:
        return [captured]
    billed = with_markup(charge.price, charge.markup) - captured.billed
    return [captured, _posting(charge, "correction", 0, charge.price - charge.cost, billed)]


def _posting(charge: Charge, why: str, quantity: int, cost: int, billed: int) -> Posting:
    return Posting(
        id=ids.derived(why, charge.organisation, charge.hold),
        organisation=charge.organisation,
        agent=charge.agent,
        kind=charge.kind,
        quantity=quantity,
        cost=cost,
        billed=billed,
        at=charge.at,
        hold=charge.hold,
        correction=why == "correction",
    )
