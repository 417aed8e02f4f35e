"""What is known of a charge only grows, whatever the order it is learnt in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from billing import charges
from billing.charges import Charge
from hypothesis import given
from hypothesis import strategies as st

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
HELD = Charge("org_1", "op_1", AT, "open", "agt_1", "sms_out", 2, 16_600, 31_900, 1_000, authorised=True)
SENT = replace(HELD, state="captured", cost=1, held=0, markup=0, authorised=False, at=AT.replace(day=22))
DROPPED = Charge("org_1", "op_1", AT, "released")
PRICED = Charge("org_1", "op_1", AT, "expected", "agt_1", price=20_000)


def after(*news: Charge) -> Charge:
    known: Charge | None = None
    for one in news:
        known = charges.learn(known, one)
    assert known is not None
    return known


@given(st.lists(st.sampled_from([SENT, DROPPED, PRICED]), max_size=12), st.permutations([SENT, DROPPED, PRICED]))
def test_any_order_and_any_repetition_end_the_same(noise: list[Charge], order: list[Charge]) -> None:
    assert after(HELD, *noise, *order) == after(HELD, SENT, DROPPED, PRICED)


@given(st.lists(st.sampled_from([HELD, SENT, DROPPED, PRICED]), min_size=1, max_size=12))
def test_learning_twice_is_learning_once(news: list[Charge]) -> None:
    assert after(*news, *news) == after(*news)


def test_a_capture_posts_the_estimate_and_a_price_its_difference() -> None:
    estimate, correction = charges.postings(after(HELD, SENT, PRICED))
    assert (estimate.quantity, estimate.cost, estimate.billed) == (2, 16_600, 18_260)
    assert (correction.cost, correction.billed, correction.correction) == (3_400, 3_740, True)


def test_a_lower_price_is_given_back() -> None:
    _, correction = charges.postings(after(HELD, SENT, replace(PRICED, price=10_000)))
    assert (correction.cost, correction.billed) == (-6_600, -7_260)


def test_a_price_alone_or_a_release_posts_nothing() -> None:
    assert charges.postings(after(HELD, PRICED)) == []
    assert charges.postings(after(HELD, PRICED, DROPPED)) == []


def test_a_price_equal_to_the_estimate_needs_no_correction() -> None:
    assert len(charges.postings(after(HELD, SENT, replace(PRICED, price=HELD.cost)))) == 1


def test_what_happened_counts_in_the_period_it_was_held_in() -> None:
    assert after(HELD, SENT).at == AT
    assert after(PRICED, SENT).at == SENT.at
