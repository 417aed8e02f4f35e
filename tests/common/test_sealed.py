"""Sealed secrets."""

from __future__ import annotations

import base64

import pytest
from common.errors import Rejected
from common.sealed import Sealer
from hypothesis import given
from hypothesis import strategies as st

SEALER = Sealer(b"k" * 32)


@given(name=st.text(max_size=30), secret=st.text(st.characters(exclude_categories=["Cs"]), max_size=100))
def test_what_is_sealed_opens_under_its_name(name: str, secret: str) -> None:
    name = name.encode("utf-8", "replace").decode()
    sealed = SEALER.seal(name, secret)
    assert SEALER.open(name, sealed) == secret
    assert sealed != SEALER.seal(name, secret), "a nonce is never used twice"


def test_a_secret_moved_to_another_name_does_not_open() -> None:
    with pytest.raises(Rejected, match="does not open"):
        SEALER.open("provider/two", SEALER.seal("provider/one", "secret"))


def test_another_key_does_not_open_and_says_so() -> None:
    with pytest.raises(Rejected) as told:
        Sealer(b"x" * 32).open("a", SEALER.seal("a", "secret"))
    assert told.value.code == "wrong_key"


@given(at=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_any_altered_bit_is_noticed(at: int, bit: int) -> None:
    version, key_id, body = SEALER.seal("a", "a secret of some length").split(".")
    raw = bytearray(base64.urlsafe_b64decode(body))
    raw[at % len(raw)] ^= 1 << bit
    altered = base64.urlsafe_b64encode(raw).decode()
    with pytest.raises(Rejected):
        SEALER.open("a", f"{version}.{key_id}.{altered}")


@pytest.mark.parametrize("text", ["", "v1", "v2.a.b", "v1..", f"v1.{SEALER.key_id}.AAAA", f"v1.{SEALER.key_id}.!"])
def test_what_was_never_sealed_is_rejected(text: str) -> None:
    with pytest.raises(Rejected):
        SEALER.open("a", text)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Sealer(b"short")
