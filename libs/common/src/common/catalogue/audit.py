"""What the house says about itself: alerts, and the state of the chains."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from common.messages import Event, Query, Value

Severity = Literal["low", "medium", "high", "critical"]


class AlertRaised(Event, subject="audit.v1.alert.raised"):
    """Something wants a person's eye. Raised by any service through its own outbox; never breaks the main flow."""

    severity: Severity
    code: str
    summary: str
    subject_id: str = ""


class PayloadErased(Event, subject="audit.v1.payload.erased"):
    """The stored payload of an event was erased for `reason`; its entry stays in the chain."""

    event: str
    reason: str


class AlertLine(Value):
    """An alert in a list."""

    at: datetime
    organisation: str
    severity: Severity
    code: str
    summary: str
    subject_id: str


class AlertList(Value):
    """Newest first."""

    alerts: list[AlertLine]


class ListAlerts(Query[AlertList], subject="audit.v1.alert.list"):
    """Alerts of an organisation; under `platform`, of all."""

    limit: int = Field(default=50, ge=1, le=500)


class ChainLine(Value):
    """The head of one chain."""

    organisation: str
    length: int
    head: str


class GapLine(Value):
    """Events of a producer that its sequence says exist and audit has not seen."""

    producer: str
    first: int
    last: int
    since: datetime


class ChainStatus(Value):
    """Heads and gaps as stored; the verifier is a command of its own, which anyone can run."""

    chains: list[ChainLine]
    gaps: list[GapLine]


class GetChainStatus(Query[ChainStatus], subject="audit.v1.chain.status"):
    """The chain of an organisation; under `platform`, all."""
