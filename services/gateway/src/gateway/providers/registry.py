"""Every provider whose webhooks are understood. A new vendor is one file and one line here."""

from __future__ import annotations

from gateway.providers.port import Provider
from gateway.providers.twilio import Twilio


def providers(public_url: str) -> dict[str, Provider]:
    """By the name that routes carry; each checks signatures over `public_url`."""
    return {"twilio": Twilio(public_url)}
