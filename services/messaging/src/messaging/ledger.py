"""How an operation moves, each move one transaction: queued, in flight, then sent, not sent, tried again or unknown.

Refuses to send twice: only an attempt of which no byte left is followed by another. Evidence against a move already
made is written down and raised as an alert, never acted upon.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from common.catalogue.audit import AlertRaised
from common.catalogue.messages import (
    MessageNotSent,
    MessagePriced,
    MessageSent,
    MessageStatusChanged,
    MessageUncertain,
    ProviderStatus,
)
from common.catalogue.values import Money
from common.db import Tx
from common.errors import Rejected, Unavailable

from messaging.domain import delays, status
from messaging.domain.matching import Listed, judge
from messaging.store import consent, contacts, history, messages, operations
from messaging.store.consent import Pair
from messaging.store.operations import Task

Row = sa.Row[Any]
"""An attempt with its operation and message, as `operations.of_attempt` gives it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The times this installation works with."""

    lease: timedelta
    grace: timedelta
    deadline: timedelta


def begin(tx: Tx, task: Task, rules: Rules) -> bool:
    """Commit to one request; False when it must not be made, or is another's to make.

    The contact and the kill switches are held, so neither an opt-out nor a stop is committed between this look at them
    and the attempt.
    """
    contacts.lock(tx, task.contact)
    consent.hold_stops(tx, task.organisation)
    if not operations.begin(tx, task, rules.lease):
        return False
    if refused := _forbidden(tx, task):
        _end_unsent(tx, task, "", refused.code, refused.detail)
        return False
    operations.add_attempt(tx, task)
    messages.set_status(tx, task.message, "sending")
    history.note(tx, task.message, "handed to the provider", f"attempt {task.tries + 1}")
    return True


def _forbidden(tx: Tx, task: Task) -> Rejected | None:
    if tx.now > task.deadline:
        return Rejected("it could not leave in time", code="expired")
    return consent.refusal(tx, Pair(task.organisation, task.agent, task.channel, task.contact))


def taken(tx: Tx, row: Row, provider_id: str, how: str) -> bool:
    """The provider has the text under this id. Whether that is what we hold true now."""
    if row.state == "taken" and provider_id in ("", row.provider_id or ""):
        return True
    nameless = row.state == "taken" and row.provider_id is None  # a person said so, without an id
    open_ = nameless or row.state in ("in_flight", "unknown")
    if not open_ or operations.taken_ids(tx, row, [provider_id]):
        _contradicted(tx, row, f"{how} says the provider has it as {provider_id}")
        return False
    question = tx.now + (delays.price(0) or timedelta()) if provider_id else None
    name = provider_id or None
    operations.change_attempt(tx, row.attempt, state="taken", provider_id=name, ended_at=tx.now, price_due_at=question)
    if not nameless:
        _sent(tx, row, provider_id, how)
    return True


def _sent(tx: Tx, row: Row, provider_id: str, how: str) -> None:
    operations.change(tx, row.operation, state="ended", due_at=None)
    messages.set_status(tx, row.message, "sent")
    history.note(tx, row.message, "sent", f"{how}: the provider has it as {provider_id or 'an unknown id'}")
    facts = _facts(row) | {"provider": row.provider, "provider_id": provider_id, "segments": row.segments}
    tx.stage(MessageSent.first(row.organisation, key=row.attempt, attempt=row.attempt, **facts))


def not_taken(tx: Tx, row: Row, code: str, reason: str) -> None:
    """The provider does not have the text and will not get it again."""
    if row.state in ("in_flight", "unknown"):
        operations.change_attempt(tx, row.attempt, state="not_taken", ended_at=tx.now)
        _end_unsent(tx, row, row.attempt, code, reason)


def nothing_left(tx: Tx, row: Row, error: Unavailable) -> None:
    """No byte left, so it may be tried again, unless its time is over or somebody gave the attempt up."""
    if row.state != "in_flight":
        not_taken(tx, row, error.code, error.detail)
        return
    again = tx.now + delays.retry(row.tries, error.retry_after)
    if again > row.deadline:
        not_taken(tx, row, error.code, error.detail)
        return
    operations.change_attempt(tx, row.attempt, state="nothing_left", ended_at=tx.now)
    operations.change(tx, row.operation, state="queued", due_at=again)
    history.note(tx, row.message, "could not leave", error.detail)


def uncertain(tx: Tx, row: Row, why: str, rules: Rules) -> None:
    """It left, or may have left, and nobody knows: from now on it is only looked for."""
    if row.state != "in_flight":
        return
    person = tx.now + rules.deadline
    operations.change_attempt(tx, row.attempt, state="unknown")
    operations.change(
        tx, row.operation, state="unknown", unknown_at=tx.now, person_decides_at=person, due_at=tx.now + delays.look(0)
    )
    messages.set_status(tx, row.message, "unknown")
    history.note(tx, row.message, "unknown", why)
    facts = _facts(row) | {"person_decides_at": person}
    tx.stage(MessageUncertain.first(row.organisation, key=row.attempt, attempt=row.attempt, **facts))


def looked(tx: Tx, row: Row, listed: list[Listed], rules: Rules) -> None:
    """Draw the conclusion from the provider's list."""
    if row.operation_state != "unknown":
        return
    rivals = operations.rivals(tx, row)
    others = operations.taken_ids(tx, row, [one.provider_id for one in listed])
    verdict = judge(row.body, row.started_at, listed, others, rivals.index(row.attempt), len(rivals))
    if verdict.kind == "found":
        taken(tx, row, verdict.provider_id, "the provider's list")
    elif verdict.kind == "absent" and row.absent and tx.now >= row.started_at + rules.grace:
        not_taken(tx, row, "not_at_provider", "no answer came, and the provider's list does not have it")
    else:
        look_again(tx, row, rules, absent=row.absent + 1 if verdict.kind == "absent" else 0, why=verdict.why)


def look_again(tx: Tx, row: Row, rules: Rules, *, absent: int, why: str) -> None:
    """Nothing is decided: look once more later, and at the deadline ask a person."""
    if row.operation_state != "unknown":
        return
    overdue = tx.now >= row.person_decides_at
    if overdue and not row.person_asked:
        _ask_person(tx, row, why)
    next_look = tx.now + delays.look(row.looks + 1)
    for moment in (row.started_at + rules.grace, row.person_decides_at):
        if tx.now < moment < next_look:
            next_look = moment
    values = {"looks": row.looks + 1, "absent": absent, "due_at": next_look, "person_asked": overdue}
    operations.change(tx, row.operation, **values)


def progressed(tx: Tx, row: Row, reported: ProviderStatus, error_code: str) -> None:
    """The provider says how far a text it has is; reports that come late or twice move nothing."""
    now, to = messages.status_of(tx, row.message), status.meaning(reported)
    if not status.forward(now, to):  # type: ignore[arg-type] # the column holds nothing else
        return
    messages.set_status(tx, row.message, to)
    history.note(tx, row.message, to, f"provider error {error_code}" if error_code else "")
    facts = {"operation": row.operation, "message": row.message, "agent": row.agent, "traceparent": row.traceparent}
    key = f"{row.message}:{to}"
    tx.stage(MessageStatusChanged.first(row.organisation, key=key, status=to, error_code=error_code, **facts))


def priced(tx: Tx, row: Row, price: Money) -> None:
    """The provider says what it cost; the first word counts."""
    if row.price_micros is not None:
        return
    operations.change_attempt(tx, row.attempt, price_micros=price.micros, price_currency=price.currency)
    history.note(tx, row.message, "priced", f"{price.micros / 1_000_000:.6f} {price.currency}")
    facts = {"operation": row.operation, "message": row.message, "agent": row.agent, "traceparent": row.traceparent}
    tx.stage(MessagePriced.first(row.organisation, key=row.attempt, attempt=row.attempt, price=price, **facts))


def _end_unsent(tx: Tx, of: Task | Row, attempt: str, code: str, reason: str) -> None:
    operations.change(tx, of.operation, state="ended", due_at=None)
    messages.set_status(tx, of.message, "failed")
    history.note(tx, of.message, "not sent", reason)
    facts = _facts(of) | {"attempt": attempt, "code": code, "reason": reason}
    tx.stage(MessageNotSent.first(of.organisation, key=of.operation, **facts))


def _ask_person(tx: Tx, row: Row, why: str) -> None:
    history.note(tx, row.message, "waits for a person", why)
    summary = f"nobody knows whether a text of agent {row.agent} was sent{': ' + why if why else ''}; decide it by hand"
    _alert(tx, row, "unknown_needs_person", summary)


def _contradicted(tx: Tx, row: Row, what: str) -> None:
    history.note(tx, row.message, "contradicted", what)
    _alert(tx, row, "attempt_contradicted", f"a text held for {row.state.replace('_', ' ')} is not: {what}")


def _alert(tx: Tx, row: Row, code: str, summary: str) -> None:
    alert = {"severity": "high", "code": code, "summary": summary, "subject_id": row.message}
    key = f"{code}:{row.attempt}"
    tx.stage(AlertRaised.first(row.organisation, key=key, traceparent=row.traceparent, **alert))


def _facts(of: Task | Row) -> dict[str, Any]:
    return {
        "operation": of.operation,
        "message": of.message,
        "agent": of.agent,
        "channel": of.channel,
        "traceparent": of.traceparent,
    }
