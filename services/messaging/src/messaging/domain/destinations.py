"""Where a text may go: an allow-list of countries, and ranges that are dear or abused wherever they are.

Refuses by default: an organisation that has set nothing may text the country of the agent's own number only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import phonenumbers
from common.catalogue.values import Address
from common.errors import Rejected
from phonenumbers import PhoneNumberType


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers nobody texts by mistake, and everybody pays for: as of `dated`."""

    prefix: str
    reason: str
    dated: str


DENIED = (
    Range("+1900", "North American premium rate", "2026-11"),
    Range("+4487", "British revenue-sharing numbers", "2026-11"),
    Range("+449", "British premium rate", "2026-11"),
    Range("+870", "Inmarsat satellite telephones", "2026-11"),
    Range("+878", "universal personal numbers", "2026-11"),
    Range("+881", "satellite telephones", "2026-11"),
    Range("+882", "international networks without a country, often satellite or premium", "2026-11"),
    Range("+883", "international networks without a country", "2026-11"),
    Range("+979", "international premium rate", "2026-11"),
)

_DEAR = {
    PhoneNumberType.PREMIUM_RATE: "a premium-rate number",
    PhoneNumberType.SHARED_COST: "a shared-cost number",
    PhoneNumberType.PAGER: "a pager",
}


@lru_cache(maxsize=65536)
def country(number: str) -> str:
    """ISO 3166 code of an E.164 number: its own region, else the first of its calling code; `Rejected` when none."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        parsed = None
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        raise Rejected("there is no such number; check its digits and country code", code="bad_address")
    region = phonenumbers.region_code_for_number(parsed)
    return str(region or phonenumbers.region_code_for_country_code(parsed.country_code or 0))


def recipient(text: str) -> Address:
    """An address a text may be sent to. Spaces and punctuation people write in numbers are dropped."""
    compact = "".join(character for character in text if character not in " ()-./\u00a0")
    address = Address.recipient(compact)
    country(address.value)
    return address


def check(to: str, sender: str, allowed: frozenset[str] | None) -> str:
    """The country of `to`; `Rejected` when this organisation (`allowed` None: nothing set) may not text there."""
    if why := _denied(to):
        raise Rejected(f"texts to {why} are never sent", code="destination_denied")
    where = country(to)
    if where not in (allowed if allowed is not None else {country(sender)}):
        raise Rejected(
            f"texts to {where} are not allowed here; an operator can allow the country with the destinations setting",
            code="destination_denied",
        )
    return where


def countries(codes: list[str]) -> frozenset[str]:
    """An allow-list as given by a person; `Rejected` names what is no country."""
    wanted = frozenset(code.strip().upper() for code in codes)
    if strange := sorted(wanted - frozenset(phonenumbers.SUPPORTED_REGIONS)):
        raise Rejected(f"not ISO 3166 alpha-2 country codes: {', '.join(strange)}", code="bad_country")
    return wanted


@lru_cache(maxsize=65536)
def _denied(number: str) -> str:
    for denied in DENIED:
        if number.startswith(denied.prefix):
            return f"{denied.prefix} ({denied.reason})"
    return _DEAR.get(phonenumbers.number_type(phonenumbers.parse(number)), "")
