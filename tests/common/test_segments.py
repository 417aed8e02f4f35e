"""Segments of a text, counted as the networks count them."""

from __future__ import annotations

import pytest
from common import segments
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),  # the sign does not fit the first part's last septet
        ("ж" * 70, 1),
        ("ж" * 71, 2),
        ("ж" * 134, 2),
        ("ж" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("ж" + "😀" * 66, 2),
        ("😀" * 67, 3),  # a pair is not split: 33 in a part, and one unit of it stays empty
        ("a" * 1600, 11),
    ],
)
def test_a_text_counts_as_many_segments_as_the_network_makes_of_it(body: str, expected: int) -> None:
    assert segments.count(body) == expected


def test_one_character_outside_the_gsm_alphabet_costs_the_whole_text_its_room() -> None:
    assert segments.encoding("a" * 160) == "gsm-7"
    assert segments.encoding("a" * 159 + "ж") == "ucs-2"
    assert segments.count("a" * 159 + "ж") == 3


@given(st.text(max_size=400), st.characters(codec="utf-8"))
def test_a_longer_text_never_counts_less(body: str, more: str) -> None:
    assert segments.count(body + more) >= segments.count(body)
