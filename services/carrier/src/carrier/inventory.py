"""The numbers the carrier could sell, from a formula: nothing is stored until somebody buys.

A block's numbers come in a fixed, scattered order. Never sold: 555 and N11 exchanges, which stay free for people.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import phonenumbers

from carrier.places import BLOCKS, Block

# Coprime to every block size (sizes are products of 2, 3, 5 and 7), so each number comes exactly once.
STRIDE = 7_368_787
OFFSET = 3_141_592
SCAN_LIMIT = 60_000


@dataclass(frozen=True)
class Filters:
    """What a buyer asks for. Empty means anything."""

    area_code: str = ""
    contains: str = ""
    region: str = ""
    locality: str = ""
    postal: str = ""
    capable_of: frozenset[str] = frozenset()


def number_at(block: Block, index: int) -> str:
    """Return the block's number at a place in its order."""
    size = len(block.leads) * 10 ** (block.digits - 1)
    lead, rest = divmod((index * STRIDE + OFFSET) % size, 10 ** (block.digits - 1))
    return f"{block.prefix}{block.leads[lead]}{rest:0{block.digits - 1}d}"


def block_of(number: str) -> Block | None:
    """Find the block that could sell this number, or None."""
    for block in BLOCKS:
        rest = number.removeprefix(block.prefix)
        fits = number.startswith(block.prefix) and len(rest) == block.digits and rest.isdigit()
        if fits and rest[0] in block.leads and _sellable(block, number):
            return block
    return None


@lru_cache(maxsize=65536)
def _sellable(block: Block, number: str) -> bool:
    if block.area_code and (number[5:8] == "555" or number[6:8] == "11"):
        return False
    return phonenumbers.is_valid_number(phonenumbers.parse(number))


def kinds_of(country: str) -> list[str]:
    """Kinds of number sold in a country, in the order the provider lists them."""
    sold = {block.kind for block in BLOCKS if block.country == country}
    return [kind for kind in ("local", "tollfree", "mobile") if kind in sold]


def search(
    country: str, kind: str, filters: Filters, start: int, sold: Callable[[str], bool]
) -> Iterator[tuple[Block, str]]:
    """Yield unsold numbers that match, block by block in turn, from a place in their order.

    Looks at a bounded number of candidates: a rare pattern may find fewer than exist.
    """
    blocks = [block for block in BLOCKS if block.country == country and block.kind == kind]
    blocks = [block for block in blocks if _in_place(block, filters)]
    if exact := _whole_number(filters.contains, blocks):
        yield from (item for item in exact if not sold(item[1]))
        return
    matches = _pattern(filters.contains)
    for index in range(start, start + SCAN_LIMIT // max(1, len(blocks))):
        for block in blocks:
            number = number_at(block, index)
            if matches(number) and _sellable(block, number) and not sold(number):
                yield block, number


def _whole_number(contains: str, blocks: list[Block]) -> list[tuple[Block, str]]:
    """Find the number a pattern names in full, with or without its country code; scanning would miss it."""
    digits = "".join(char for char in contains if char.isdigit())
    if "*" in contains or len(digits) < 10:
        return []
    named = ((block_of(number), number) for number in (f"+{digits}", f"+1{digits}"))
    return [(block, number) for block, number in named if block in blocks and block is not None]


def _in_place(block: Block, filters: Filters) -> bool:
    wanted = (
        (filters.area_code, block.area_code),
        (filters.region.upper(), block.region.upper()),
        (filters.locality.upper(), block.locality.upper()),
        (filters.postal.upper(), block.postal.upper()),
    )
    return all(not asked or asked == has for asked, has in wanted)


KEYPAD = {"2": "ABC", "3": "DEF", "4": "GHI", "5": "JKL", "6": "MNO", "7": "PQRS", "8": "TUV", "9": "WXYZ"}
KEYS = {char: key for key, chars in KEYPAD.items() for char in chars}


def _pattern(contains: str) -> Callable[[str], bool]:
    """Match digits, letters as on a keypad, `*` for any one digit; `+` anchors, as does a full number."""
    wanted = "".join(KEYS.get(char, char) for char in contains.upper() if char.isalnum() or char in "+*")
    if not wanted or not wanted.strip("*"):
        return lambda number: True
    if "*" not in wanted:
        return lambda number: wanted in number

    def fits(number: str) -> bool:
        ends = range(len(number) - len(wanted) + 1)
        return any(all(w in ("*", n) for w, n in zip(wanted, number[at:], strict=False)) for at in ends)

    return fits
