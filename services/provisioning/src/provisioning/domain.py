"""Decisions of provisioning, as functions of their arguments."""

from __future__ import annotations

import re
from dataclasses import dataclass

from common.errors import Rejected

LIVE_TOKENS = 2
"""An agent's tokens that may live at once: the old one and the new one while it is rotated."""

_MARKER = "switchboard:"
_AREA_CODE_COUNTRIES = {"US", "CA"}
_SCOPE = re.compile(r"[a-z][a-z0-9_.:-]{0,63}")


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Where a provider delivers texts, and where it turns when that fails."""

    sms: str
    fallback: str


def webhooks(public_url: str, fallback_url: str, route: str) -> Webhooks:
    """The addresses of one route."""
    path = f"/webhooks/{route}/sms"
    return Webhooks(f"{public_url}{path}", f"{fallback_url or public_url}{path}")


def marker(saga: str) -> str:
    """What a number we buy is named at the provider, so that it can be told from the owner's other numbers."""
    return f"{_MARKER}{saga}"


def marked_saga(name: str) -> str:
    """The saga that marked a number; empty for a number that does not carry our marker."""
    return name.removeprefix(_MARKER) if name.startswith(_MARKER) else ""


def place(country: str, area_code: str) -> tuple[str, str]:
    """Country and area code as a provider wants them; `Rejected` with what to write instead."""
    country = country.upper()
    if not (country.isascii() and country.isalpha()):
        raise Rejected(f"{country!r} is no country; give two letters such as US", code="bad_country")
    if area_code and country not in _AREA_CODE_COUNTRIES:
        raise Rejected(f"leave area_code empty for {country}; only US and CA have them", code="bad_area_code")
    if area_code and not (area_code.isascii() and area_code.isdigit() and len(area_code) == 3):
        raise Rejected("give the area code as three digits, such as 415", code="bad_area_code")
    return country, area_code


def check_rotation(agent: str, live: list[str]) -> None:
    """`Rejected` when another token would be a third."""
    if len(live) >= LIVE_TOKENS:
        raise Rejected(
            f"agent {agent} already has {len(live)} live tokens ({', '.join(live)}); revoke one, then issue another",
            code="too_many_tokens",
        )


def check_scopes(scopes: list[str]) -> list[str]:
    """Scopes without repeats, in order; `Rejected` for what is no scope."""
    for scope in scopes:
        if not _SCOPE.fullmatch(scope):
            raise Rejected(
                f"{scope[:70]!r} is no scope; write one like 'provision' or 'messages:read'", code="bad_scope"
            )
    if len(scopes) > 32:
        raise Rejected("a token has at most 32 scopes", code="bad_scope")
    return list(dict.fromkeys(scopes))
