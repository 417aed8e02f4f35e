"""Money and limits: holds before the act, postings after it, caps that are never passed."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar, Literal

from pydantic import Field

from common.catalogue.values import Done, Money
from common.messages import Event, Order, Query, Value

ChargeKind = Literal["sms_out", "sms_in", "number_rent"]
"""What can cost money."""


class UsagePosted(Event, subject="billing.v1.usage.posted"):
    """An amount was posted to an agent's account: what it cost us and what it costs the organisation."""

    posting: str
    agent: str
    kind: ChargeKind
    quantity: int
    cost: Money
    billed: Money
    correction: bool = False


class LimitsChanged(Event, subject="billing.v1.limits.changed"):
    """The caps of an agent or (agent empty) the organisation are these now."""

    agent: str
    limits: Limits


class Limits(Value):
    """Caps by UTC calendar day and month; none means no cap at that place. `rate_per_minute` limits sends."""

    money_per_day: int | None = Field(default=None, ge=0, description="Micro-units of USD a UTC day.")
    money_per_month: int | None = Field(default=None, ge=0, description="Micro-units of USD a UTC month.")
    messages_per_day: int | None = Field(default=None, ge=0)
    messages_per_month: int | None = Field(default=None, ge=0)
    rate_per_minute: int | None = Field(default=None, ge=1)


class Decision(Value):
    """Whether the money is held. A refusal says why and, where that is known, when it ends."""

    allowed: bool
    held: Money = Money(micros=0)
    code: Literal["", "cap_reached", "rate_limited", "no_price"] = ""
    reason: str = ""
    retry_at: datetime | None = None

    def sentence(self) -> str:
        """A refusal for people and agents: the reason, and when it ends where that is known."""
        ends = f"; it ends at {self.retry_at:%Y-%m-%dT%H:%M:%SZ}" if self.retry_at else ""
        return f"{self.reason or self.code}{ends}"


class Authorize(Order[Decision], subject="billing.v1.hold.authorize"):
    """Hold the worst case of an act before it. `hold` names it for ever: asking again gives the same decision."""

    shared: ClassVar[bool] = True
    hold: str
    agent: str
    charge: ChargeKind
    quantity: int = Field(default=1, ge=1)
    sender: str = ""
    to: str = ""
    country: str = ""


class SettleHold(Order[Done], subject="billing.v1.hold.settle"):
    """The act behind a hold happened (capture), or did not (release). For acts that have no event of their own."""

    hold: str
    captured: bool


class SetLimits(Order[Done], subject="billing.v1.limits.set"):
    """Set the caps of an agent, or of the organisation when `agent` is empty."""

    agent: str = ""
    limits: Limits


class SetBillingConfig(Order[Done], subject="billing.v1.config.set"):
    """What the organisation pays on top of our cost."""

    markup_percent: float = Field(ge=0, le=1000)


class UsageLine(Value):
    """One agent, one kind, one UTC day."""

    agent: str
    kind: ChargeKind
    day: date
    count: int
    quantity: int
    cost: Money
    billed: Money


class CapLine(Value):
    """One cap and how much of it is used or held."""

    scope: Literal["agent", "organisation"]
    unit: Literal["money", "messages"]
    window: Literal["day", "month"]
    cap: int
    used: int
    held: int
    ends_at: datetime


class Usage(Value):
    """Usage by agent, kind and day, and the caps that apply."""

    lines: list[UsageLine]
    caps: list[CapLine]
    billed: Money


class GetUsage(Query[Usage], subject="billing.v1.usage.get"):
    """Usage of one agent (or all, when empty) since a UTC day, thirty days back by default."""

    agent: str = ""
    since: date | None = None


class BillingSummary(Value):
    """What we pay and what the organisation is billed, this UTC month."""

    month: str
    cost: Money
    billed: Money
    held: Money
    markup_percent: float
    balanced: bool
    """The ledger adds up: captured, held and corrected amounts equal the counters."""


class GetBillingSummary(Query[BillingSummary], subject="billing.v1.summary.get"):
    """The month so far."""


class LimitsReply(Value):
    """The caps as set."""

    agent: str
    limits: Limits


class GetLimits(Query[LimitsReply], subject="billing.v1.limits.get"):
    """The caps of an agent, or of the organisation when `agent` is empty."""

    agent: str = ""


class PriceLine(Value):
    """One fact of the price book, with where it comes from."""

    item: str
    price: Money
    unit: str
    dated: str
    source: str


class PriceBook(Value):
    """The estimates in force."""

    lines: list[PriceLine]


class GetPriceBook(Query[PriceBook], subject="billing.v1.price-book.get"):
    """What things cost before the provider says so."""
