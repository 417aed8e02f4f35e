"""The vendors, by the name routes carry. A new one is a file beside this and a line here."""

from __future__ import annotations

from collections.abc import Callable

from common.directory import Credentials
from common.errors import Rejected

from messaging.providers.port import SmsProvider
from messaging.providers.twilio import TwilioSms
from messaging.settings import Settings

VENDORS: dict[str, Callable[[Settings, Credentials], SmsProvider]] = {
    "twilio": lambda settings, credentials: TwilioSms(
        settings.twilio_api_url, credentials, timeout=settings.provider_timeout
    ),
}

Providers = dict[str, SmsProvider]


def connect(settings: Settings, credentials: Credentials) -> Providers:
    """Every vendor, ready to be called."""
    return {name: make(settings, credentials) for name, make in VENDORS.items()}


def named(providers: Providers, name: str) -> SmsProvider:
    """The vendor of a route; `Rejected` when this version has none of that name."""
    try:
        return providers[name]
    except KeyError:
        raise Rejected(f"no provider named {name} in this version", code="no_provider") from None
