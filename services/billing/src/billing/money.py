"""Amounts as integers: millionths of a US dollar. The one place that rounds."""

from __future__ import annotations

_WHOLE = 10_000
"""Basis points of one whole: markup is kept in hundredths of a percent."""


def with_markup(cost: int, markup: int) -> int:
    """What an organisation is billed for `cost` micro-units at `markup` basis points; a part counts as a whole one."""
    return -(-cost * (_WHOLE + markup) // _WHOLE)


def dollars(micros: int) -> str:
    """An amount for people: at least two decimals, and all that matter."""
    whole, part = divmod(abs(micros), 1_000_000)
    decimals = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{decimals} USD"
