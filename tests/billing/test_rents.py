"""Which months of rent are owed."""

from __future__ import annotations

from datetime import UTC, datetime

from billing import rents
from billing.rents import Rent

BOUGHT = rents.bought("org_1", "PN1", "agt_1", 1_150_000, datetime(2026, 9, 30, 23, 59, tzinfo=UTC))
RELEASED = rents.released("org_1", "PN1", datetime(2026, 10, 1, 0, 0, tzinfo=UTC))


def both_orders(first: Rent, second: Rent) -> Rent:
    one, other = rents.learn(rents.learn(None, first), second), rents.learn(rents.learn(None, second), first)
    assert one == other
    return one


def test_the_month_of_purchase_is_the_holds_and_every_later_month_is_owed() -> None:
    assert rents.due(BOUGHT, "2026-09") == []
    assert rents.due(BOUGHT, "2026-11") == ["2026-10", "2026-11"]


def test_a_number_given_back_owes_the_month_it_was_given_back_in_and_no_other() -> None:
    assert rents.due(both_orders(BOUGHT, RELEASED), "2026-12") == ["2026-10"]


def test_an_end_without_a_beginning_owes_nothing() -> None:
    assert rents.due(RELEASED, "2026-12") == []


def test_months_posted_after_the_end_are_overpaid() -> None:
    posted = Rent("org_1", "PN1", "2027-01", "agt_1", 1_150_000, last_month="2026-10")
    assert rents.overpaid(posted) == ["2026-11", "2026-12"]
    assert rents.overpaid(both_orders(BOUGHT, RELEASED)) == []


def test_a_reversal_cancels_its_posting() -> None:
    line = rents.posting(BOUGHT, "2026-10", 2_500)
    back = rents.reversal(line)
    assert (line.cost + back.cost, line.billed + back.billed, back.id != line.id) == (0, 0, True)
