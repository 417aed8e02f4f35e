"""Amounts: integers, rounded in one place."""

from __future__ import annotations

from fractions import Fraction

import pytest
from billing.money import dollars, with_markup
from hypothesis import given
from hypothesis import strategies as st

amounts = st.integers(min_value=0, max_value=10**15)
markups = st.integers(min_value=0, max_value=100_000)


@given(amounts, markups)
def test_billing_rounds_up_to_a_whole_micro_unit_and_no_further(cost: int, markup: int) -> None:
    exact = Fraction(cost) * (10_000 + markup) / 10_000
    assert exact <= with_markup(cost, markup) < exact + 1


@given(amounts)
def test_no_markup_bills_the_cost(cost: int) -> None:
    assert with_markup(cost, 0) == cost


@pytest.mark.parametrize(
    ("micros", "text"),
    [(0, "0.00 USD"), (10_000_000, "10.00 USD"), (8_300, "0.0083 USD"), (-1_500_000, "-1.50 USD"), (1, "0.000001 USD")],
)
def test_an_amount_is_shown_with_every_digit_that_matters(micros: int, text: str) -> None:
    assert dollars(micros) == text
