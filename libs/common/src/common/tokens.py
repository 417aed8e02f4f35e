"""Bearer tokens: `sbd_<tier>_<43 characters><6 of checksum>`, found by secret scanners, stored only as a keyed hash."""

from __future__ import annotations

import hmac
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_letters
_TIERS = {"operator": "op", "organisation": "org", "agent": "agt"}
_RANDOM, _CHECK = 43, 6
"""43 characters of base 62 hold 256 random bits; 6 hold a CRC-32."""


def new(tier: str) -> str:
    """A fresh token of that tier, with 256 random bits."""
    number = int.from_bytes(secrets.token_bytes(32), "big")
    head = f"sbd_{_TIERS[tier]}_{_base62(number, _RANDOM)}"
    return head + _checksum(head)


def well_formed(token: str) -> bool:
    """Whether shape and checksum are right: tells a typing error from a stranger's token without a look-up."""
    head, check = token[:-_CHECK], token[-_CHECK:]
    return (
        token.startswith("sbd_")
        and len(head) > _RANDOM
        and token.isascii()
        and hmac.compare_digest(_checksum(head), check)
    )


def hashed(token: str, pepper: bytes) -> str:
    """What is stored and published instead of the token."""
    return hmac.digest(pepper, token.encode(), "sha256").hex()


def _checksum(head: str) -> str:
    return _base62(zlib.crc32(head.encode()), _CHECK)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
