"""The price book: dated list prices in micro-units of USD, used until the provider says what a thing did cost.

It refuses to guess: a destination that is not in it has no price, and nothing is sent there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import phonenumbers
from common.catalogue.billing import ChargeKind

_LIST = "Twilio list price, page current as of October 2026, read by API Evangelist on 2026-11-09"
_SURVEY = "Twilio prices as published by budgetforge.dev and dev.to, July 2026"
_ESTIMATE = "list price estimate, not read at the source; the provider's price replaces it"
_TOLL_FREE = ("+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888")


@dataclass(frozen=True, slots=True)
class Price:
    """One fact: what one unit of an item costs, since when it was known, and who said so."""

    item: str
    micros: int
    unit: str
    dated: str
    source: str


def _estimates(kind: str, unit: str, table: dict[str, int]) -> list[Price]:
    return [Price(f"{kind}/{place}", micros, unit, "2026-11", _ESTIMATE) for place, micros in table.items()]


_SMS_OUT_ESTIMATES = {"CA": 8_300, "GB": 52_400, "DE": 109_000, "NL": 104_200, "FR": 79_800, "AU": 51_500}
_FEE_ESTIMATES = {"CA": 10_000, "GB": 0, "DE": 0, "NL": 0, "FR": 0, "AU": 0}
_NUMBER_ESTIMATES = {"CA": 1_150_000, "GB": 1_150_000, "DE": 1_150_000, "NL": 1_150_000, "FR": 1_150_000}

BOOK: tuple[Price, ...] = (
    Price("sms_out/US", 8_300, "segment", "2026-10", _LIST),
    Price("sms_out_fee/US", 6_200, "segment, most a carrier adds", "2026-07", _SURVEY),
    *_estimates("sms_out", "segment", _SMS_OUT_ESTIMATES),
    *_estimates("sms_out_fee", "segment, most a carrier adds", _FEE_ESTIMATES),
    Price("sms_in", 8_300, "segment", "2026-10", _LIST),
    Price("sms_failed", 1_000, "message", "2026-07", _SURVEY),
    Price("number_rent/US", 1_150_000, "month", "2026-07", _SURVEY),
    Price("number_rent/toll-free", 2_150_000, "month", "2026-07", _SURVEY),
    *_estimates("number_rent", "month", _NUMBER_ESTIMATES | {"AU": 3_000_000}),
)

_BY_ITEM = {price.item: price.micros for price in BOOK}

if set(get_args(ChargeKind)) - {item.partition("/")[0] for item in _BY_ITEM}:
    raise AssertionError("every kind of charge has a price")


@dataclass(frozen=True, slots=True)
class Quote:
    """What an act is expected to cost us, and what it may cost at worst."""

    cost: int
    worst: int


def quote(kind: ChargeKind, quantity: int, *, country: str = "", to: str = "") -> Quote | None:
    """Price an act by its country, or by the number it goes to; None when the book has no price for it."""
    place = "toll-free" if kind == "number_rent" and to.startswith(_TOLL_FREE) else country.upper() or country_of(to)
    each = _BY_ITEM.get(kind, _BY_ITEM.get(f"{kind}/{place}"))
    if each is None:
        return None
    return Quote(quantity * each, quantity * (each + _BY_ITEM.get(f"{kind}_fee/{place}", 0)))


def country_of(number: str) -> str:
    """The country a number in international form belongs to (ISO 3166 alpha-2); empty when there is none.

    A number its country has not given out counts as one of the country that leads its calling code.
    """
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return ""
    region = phonenumbers.region_code_for_number(parsed)
    region = region or phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    return region if len(region) == 2 and region.isalpha() and region != "ZZ" else ""


def sms_out_unplaced(segments: int) -> int:
    """The cost of a text whose destination we were never told; the provider's price corrects it."""
    return segments * _BY_ITEM["sms_out/US"]


def sms_in(segments: int) -> int:
    """The cost of a received text."""
    return segments * _BY_ITEM["sms_in"]
