"""How many segments a text is sent and billed as: GSM-7 while every character allows it, else UCS-2. Pure.

Refuses to guess about transliteration: the text is counted as it is written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

Encoding = Literal["gsm-7", "ucs-2"]

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_ESCAPED = frozenset("\f^{}\\[~]|€")
"""Characters that cost two septets."""

_WHOLE = {"gsm-7": 160, "ucs-2": 70}
_PART = {"gsm-7": 153, "ucs-2": 67}
"""Units in a text sent whole, and in each part of a longer one: the rest is the header that joins the parts."""


def encoding(body: str) -> Encoding:
    """Which alphabet the text needs; one character outside GSM-7 puts the whole text into UCS-2."""
    return "gsm-7" if (_GSM | _GSM_ESCAPED).issuperset(body) else "ucs-2"


def count(body: str) -> int:
    """Segments of the text; an empty one (media only) counts as one."""
    alphabet = encoding(body)
    widths = [_width(character, alphabet) for character in body]
    return 1 if sum(widths) <= _WHOLE[alphabet] else _parts(widths, _PART[alphabet])


def _width(character: str, alphabet: Encoding) -> int:
    if alphabet == "gsm-7":
        return 2 if character in _GSM_ESCAPED else 1
    return 2 if ord(character) > 0xFFFF else 1


def _parts(widths: Iterable[int], size: int) -> int:
    """Fill part after part; a character of two units is never split between two."""
    parts, used = 1, 0
    for width in widths:
        if used + width > size:
            parts, used = parts + 1, 0
        used += width
    return parts
