"""What the gateway needs to know of a provider. Verifying is the adapter's; what is stored never shows its spelling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from common.catalogue.messages import SmsReceived, SmsStatusReported
from common.catalogue.values import Address


class Webhook(NamedTuple):
    """One request as it came; nothing in it is proved yet."""

    method: str
    target: str
    """Path and query, undecoded, as signed."""
    headers: dict[bytes, bytes]
    fields: list[tuple[str, str]]
    """Every parameter, in order, repeats and blanks too."""
    values: dict[str, str]
    """The same by name; the last of several."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider takes as: received, nothing to do."""

    status: int
    content_type: str
    body: bytes


class Provider(Protocol):
    """Verifies and translates; pure."""

    @property
    def name(self) -> str:
        """As routes and credentials name it."""

    @property
    def taken(self) -> Answer:
        """The answer to a text that was stored and is not replied to here."""

    def recognises(self, webhook: Webhook) -> bool:
        """Whether the request claims to come from this provider."""

    def account(self, webhook: Webhook) -> str:
        """The account the request claims; `BadField` without one."""

    def verify(self, webhook: Webhook, account: str, secret: Callable[[str], str]) -> None:
        """Return only when `account` signed it; else `NotAuthentic`. `secret(name)` gives an account's secret."""

    def sender_of_ours(self, webhook: Webhook) -> Address:
        """The address of ours a status report speaks of."""

    def sms(self, webhook: Webhook, organisation: str, route: str) -> SmsReceived:
        """The text; `BadField` names what is missing."""

    def status(self, webhook: Webhook, organisation: str, route: str, attempt: str) -> SmsStatusReported | None:
        """The report; None for a status without a meaning for us."""
