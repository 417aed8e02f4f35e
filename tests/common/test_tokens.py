"""Bearer tokens."""

from __future__ import annotations

import string

import pytest
from common import tokens
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("tier", ["operator", "organisation", "agent"])
def test_a_new_token_is_well_formed_and_never_the_same(tier: str) -> None:
    made = {tokens.new(tier) for _ in range(50)}
    assert len(made) == 50
    assert all(tokens.well_formed(token) for token in made)


@given(at=st.integers(8, 56), letter=st.sampled_from(string.ascii_letters + string.digits))
def test_a_typing_error_is_noticed_without_a_look_up(at: int, letter: str) -> None:
    token = tokens.new("agent")
    wrong = token[:at] + letter + token[at + 1 :]
    assert tokens.well_formed(wrong) == (wrong == token)


@pytest.mark.parametrize("text", ["", "sbd_", "x" * 60, "sbd_agt_short", "sbd_agt_" + "é" * 49, "Bearer sbd_agt_x"])
def test_what_is_no_token_is_not_well_formed(text: str) -> None:
    assert not tokens.well_formed(text)


def test_what_is_stored_depends_on_the_pepper_and_hides_the_token() -> None:
    token = tokens.new("agent")
    stored = tokens.hashed(token, b"a" * 32)
    assert stored == tokens.hashed(token, b"a" * 32) != tokens.hashed(token, b"b" * 32)
    assert token not in stored
