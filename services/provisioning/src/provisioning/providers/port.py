"""What provisioning needs of whoever sells phone numbers. Adapters translate; they neither retry nor decide.

Every call raises `Rejected` (asking again cannot help), `Unavailable` (nothing happened) or `Unknown` (it may have).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from common.errors import Rejected


class Taken(Rejected):
    """This number is not for sale any more; another may be."""

    code = "number_taken"


@dataclass(frozen=True, slots=True)
class OwnedNumber:
    """A number of the account. `name` is the label it was bought with."""

    provider_id: str
    number: str
    name: str


class NumberProvider(Protocol):
    """One account at one vendor."""

    async def search(self, country: str, area_code: str, limit: int = 20) -> list[str]:
        """E.164 numbers for sale that can text, best first; empty when there are none."""

    async def buy(self, number: str, *, name: str, key: str) -> OwnedNumber:
        """Buy exactly this number and label it. `Taken` when somebody else has it."""

    async def find(self, number: str) -> OwnedNumber | None:
        """The number, if the account has it."""

    async def configure(self, provider_id: str, *, sms_url: str, fallback_url: str) -> None:
        """Say where texts go, or nowhere with empty addresses. `NotFound` when the account lacks the number."""

    async def release(self, provider_id: str) -> None:
        """Give the number back for good; finding it gone is fine."""

    async def list(self) -> list[OwnedNumber]:
        """Every number of the account."""

    async def close(self) -> None:
        """Let go of connections; the next call opens new ones."""


@dataclass(frozen=True, slots=True)
class Account:
    """The owner's account at a vendor: how to reach it, and the secret that verifies its webhooks."""

    provider: str
    account: str
    secret: str
    numbers: NumberProvider

    def __repr__(self) -> str:
        return f"Account({self.provider}, …{self.account[-4:]})"
