"""Faults on demand: which requests, callbacks and prices go wrong, how often, and in which way."""

import secrets
from collections.abc import Iterable
from random import Random
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

Kind = Literal[
    "429", "5xx", "5xx_after", "cut_before", "cut_after", "delay", "number_taken",
    "callbacks_duplicated", "callbacks_delayed", "callbacks_reordered", "callbacks_dropped",
    "webhooks_duplicated", "price_late", "price_never",
]  # fmt: skip
BEFORE: tuple[Kind, ...] = ("429", "5xx", "cut_before", "number_taken")
AFTER: tuple[Kind, ...] = ("5xx_after", "cut_after")
NEED_SECONDS = frozenset({"delay", "callbacks_delayed", "price_late"})


class FaultOrder(BaseModel):
    """A fault somebody asks for. Without `times` it stays until deleted."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = Field(description="What goes wrong. 429, 5xx, cut_before: nothing accepted; *_after: accepted.")
    operation: str | None = Field(None, description="Only this REST operation, e.g. messages.create; none: any.")
    account_sid: str | None = Field(None, description="Only this account's requests and texts.")
    address: str | None = Field(None, description="Only texts to or from this address; not for request faults.")
    times: int | None = Field(None, ge=1, description="How often it happens before it is spent.")
    probability: float = Field(1.0, gt=0, le=1, description="Chance at each occasion, drawn from `seed`.")
    seed: int = Field(0, description="Makes the draws repeatable.")
    seconds: float = Field(0.0, ge=0, le=3600, description="For delay, callbacks_delayed, price_late.")
    copies: int = Field(1, ge=1, le=100, description="Extra copies, for *_duplicated.")
    status: int = Field(503, ge=500, le=599, description="HTTP status, for 5xx and 5xx_after.")
    retry_after: float | None = Field(None, ge=0, description="Retry-After in seconds, for 429 and 5xx.")

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.kind in NEED_SECONDS and not self.seconds:
            raise ValueError(f"{self.kind} needs seconds > 0")
        return self


class Fault(FaultOrder):
    """A fault in force, with how often it has happened."""

    id: str = Field(default_factory=lambda: secrets.token_hex(4))
    happened: int = 0
    _random: Random = PrivateAttr(default_factory=Random)

    def model_post_init(self, context: object) -> None:
        """Start the draws at the seed."""
        self._random = Random(self.seed)  # noqa: S311 - chance, not secrecy

    def covers(self, operation: str, account_sid: str, addresses: Iterable[str]) -> bool:
        """Tell whether the occasion is in this fault's scope and it is not spent."""
        return (
            (self.times is None or self.happened < self.times)
            and self.operation in (None, operation)
            and self.account_sid in (None, account_sid)
            and (self.address is None or self.address in addresses)
        )

    def strikes(self) -> bool:
        """Draw, and count if it happens."""
        hit = self._random.random() < self.probability
        self.happened += hit
        return hit


class Faults:
    """All faults in force, first come first drawn. Gone with the process."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    def add(self, order: FaultOrder) -> Fault:
        """Put a fault in force."""
        fault = Fault(**order.model_dump())
        self.active.append(fault)
        return fault

    def remove(self, fault_id: str) -> bool:
        """Lift a fault; False if there is none such."""
        kept = [fault for fault in self.active if fault.id != fault_id]
        found = len(kept) < len(self.active)
        self.active = kept
        return found

    def draw(
        self, kinds: Iterable[Kind], operation: str, account_sid: str, addresses: Iterable[str] = ()
    ) -> Fault | None:
        """Return the fault of one of these kinds that strikes on this occasion, if any does."""
        wanted, near = frozenset(kinds), tuple(addresses)
        for fault in self.active:
            if fault.kind in wanted and fault.covers(operation, account_sid, near) and fault.strikes():
                return fault
        return None
