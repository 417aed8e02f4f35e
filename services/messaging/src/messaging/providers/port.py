"""What messaging needs of a provider of texts. Errors are the three of the house, nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from common.catalogue.messages import ProviderStatus
from common.catalogue.values import Money

from messaging.domain.matching import Listed


@dataclass(frozen=True, slots=True)
class Text:
    """One attempt to send a text. `key` is the attempt; the provider reports to `callback`, which names it too."""

    key: str
    account: str
    sender: str
    to: str
    body: str
    callback: str


@dataclass(frozen=True, slots=True)
class Fate:
    """What a provider says of a text it took; the price is unknown for a while."""

    status: ProviderStatus
    error_code: str = ""
    price: Money | None = None


Leave = Callable[[], Awaitable[None]]
"""Commits to a request that can leave at this very moment; what it raises keeps the request here."""


class SmsProvider(Protocol):
    """One vendor."""

    async def send(self, text: Text, leave: Leave) -> str:
        """Hand the text over; gives the provider's id for it.

        `leave` is awaited once, when everything is ready and before the first byte leaves. What it raises is passed on.

        `Rejected`: the provider refused it. `Unavailable`: no byte of the request left, or the provider said to come
        later. `Unknown`: it left, and there is no answer: it may be on its way.
        """

    async def find(self, text: Text, since: datetime) -> list[Listed]:
        """Texts the provider lists from this sender to this recipient since then. `Unavailable` when it cannot tell."""

    async def fetch(self, account: str, provider_id: str) -> Fate:
        """What became of a text and what it cost. `NotFound` when the provider has no such text."""

    async def close(self) -> None:
        """Let go of connections."""
