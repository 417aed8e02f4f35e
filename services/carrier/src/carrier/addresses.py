"""Who can be texted: E.164 numbers, short codes and alphanumeric names, and the country they are in."""

import re
from functools import lru_cache

import phonenumbers

SHORT_CODE = re.compile(r"^\d{3,8}$")
ALPHANUMERIC = re.compile(r"^(?=.*[A-Za-z])[A-Za-z0-9 ._&+-]{1,11}$")


@lru_cache(maxsize=65536)
def normalised(address: str) -> str | None:
    """Return the E.164 form of a number the world could have, or None."""
    cleaned = "".join(char for char in address if char not in " ()-.")
    if not re.fullmatch(r"\+[1-9]\d{6,14}", cleaned):
        return None
    try:
        number = phonenumbers.parse(cleaned)
    except phonenumbers.NumberParseException:
        return None
    return cleaned if phonenumbers.is_possible_number(number) else None


@lru_cache(maxsize=65536)
def country_of(address: str) -> str:
    """Return the ISO country of an E.164 number, or an empty string."""
    if not address.startswith("+"):
        return ""
    try:
        number = phonenumbers.parse(address)
    except phonenumbers.NumberParseException:
        return ""
    region = phonenumbers.region_code_for_number(number)
    return region or phonenumbers.region_code_for_country_code(number.country_code or 0)


def is_person(address: str) -> bool:
    """Tell whether somebody could text from this address: a number, a short code or a name."""
    return bool(normalised(address) or SHORT_CODE.match(address) or ALPHANUMERIC.match(address))


def friendly(address: str) -> str:
    """Write a number as the provider names it: national form for +1, else as it is."""
    if re.fullmatch(r"\+1\d{10}", address):
        return f"({address[2:5]}) {address[5:8]}-{address[8:]}"
    return address
