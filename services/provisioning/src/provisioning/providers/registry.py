"""The vendors there are. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable

from provisioning.providers import twilio
from provisioning.providers.port import Account
from provisioning.settings import Settings

VENDORS: dict[str, Callable[[Settings], Account | None]] = {
    "twilio": twilio.account,
}


def accounts(settings: Settings) -> list[Account]:
    """The owner's accounts that are configured, in the order of preference."""
    return [account for connect in VENDORS.values() if (account := connect(settings))]
