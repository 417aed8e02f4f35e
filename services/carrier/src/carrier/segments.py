"""How many segments a text is billed as: GSM-7 160/153 septets, else UCS-2 70/67 code units."""

from itertools import pairwise

# GSM 03.38 default alphabet, and the extension table whose characters cost two septets.
BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("\f^{}\\[~]|€")


def is_gsm7(body: str) -> bool:
    """Tell whether every character is in the GSM alphabet or its extension."""
    return all(char in BASIC or char in EXTENDED for char in body)


def count_segments(body: str) -> int:
    """Return the billed segments of a body; an empty one (media only) counts as one."""
    if is_gsm7(body):
        return _packed([2 if char in EXTENDED else 1 for char in body], single=160, part=153)
    return _packed([2 if ord(char) > 0xFFFF else 1 for char in body], single=70, part=67)


def _packed(widths: list[int], single: int, part: int) -> int:
    """Fill parts in order; a character of two units is never split across a border."""
    if sum(widths) <= single:
        return 1
    borders, used = [0], 0
    for at, width in enumerate(widths):
        if used + width > part:
            borders.append(at)
            used = 0
        used += width
    return len(list(pairwise(borders))) + 1
