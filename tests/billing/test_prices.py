"""The price book."""

from __future__ import annotations

import pytest
from billing import prices
from billing.prices import BOOK, Quote


def test_every_price_says_since_when_and_who_said_so() -> None:
    assert all(price.dated >= "2026-01" and price.source and price.unit for price in BOOK)
    assert len({price.item for price in BOOK}) == len(BOOK)


def test_a_text_to_the_us_is_priced_by_segment_with_the_most_a_carrier_adds_at_worst() -> None:
    assert prices.quote("sms_out", 3, country="US") == Quote(cost=3 * 8_300, worst=3 * (8_300 + 6_200))


@pytest.mark.parametrize(
    ("number", "country"),
    [
        ("+14155550123", "US"),
        ("+16135550123", "CA"),
        ("+447400123456", "GB"),
        ("+4915112345678", "DE"),
        ("+31612345678", "NL"),
        ("+33612345678", "FR"),
        ("+61412345678", "AU"),
    ],
)
def test_the_country_is_found_from_the_number_and_has_a_price(number: str, country: str) -> None:
    assert prices.country_of(number) == country
    assert prices.quote("sms_out", 1, to=number) is not None
    assert prices.quote("number_rent", 1, country=country) is not None


@pytest.mark.parametrize("number", ["+18765550123", "+8613812345678", "+88216123456", "12345", "", "alice"])
def test_a_destination_outside_the_book_has_no_price(number: str) -> None:
    assert prices.quote("sms_out", 1, to=number) is None


def test_a_toll_free_number_costs_its_own_rent() -> None:
    toll_free, local = (prices.quote("number_rent", 1, country="US", to=to) for to in ("+18885550100", "+14155550100"))
    assert toll_free and local and toll_free.cost > local.cost
