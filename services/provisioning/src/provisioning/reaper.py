"""Compares the provider's inventory with ours, slowly: nothing is paid for by nobody without being told.

It releases only what its own undone sagas bought after all. Numbers without our marker are never touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import structlog
from common.catalogue.audit import AlertRaised, Severity
from common.db import Database, Tx
from common.errors import SwitchboardError
from common.messages import PLATFORM

from provisioning import domain
from provisioning.accounts import Accounts
from provisioning.providers.port import Account, OwnedNumber
from provisioning.store import numbers, sagas

log = structlog.get_logger()

Verdict = Literal["ours", "late", "orphan", "unmarked", "missing"]

_AFTER: dict[str, Verdict] = {"running": "ours", "undoing": "ours", "undone": "late", "completed": "orphan"}
"""What a number is that carries the label of a saga in this state, and that we do not own."""

_TELLS: dict[Verdict, tuple[Severity, str, str]] = {
    "orphan": ("high", "orphan_number", "is paid for and belongs to no agent; release it at the provider, or adopt it"),
    "unmarked": ("low", "unmarked_number", "is in the provider account and was not bought by us; it is left alone"),
    "missing": ("high", "number_missing", "belongs to an agent and is gone from the provider account"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One number and what it is to us."""

    verdict: Verdict
    number: str
    saga: str = ""
    provider_id: str = ""
    organisation: str = PLATFORM
    cost: str = ""


class Reaper:
    """Looks every so often; `look` is one time."""

    def __init__(self, database: Database, accounts: Accounts, every: float) -> None:
        self._database, self._accounts, self._every = database, accounts, every

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(self._every)
            for account in self._accounts.accounts:
                try:
                    await self.look(account)
                except SwitchboardError as error:
                    log.warning("inventory_not_compared", provider=account.provider, error=error.detail)

    async def look(self, account: Account) -> list[Finding]:
        """Judge every number; finish late undos, and raise an alert (once a day each) for the rest that is not ours."""
        before = await self._database.read(lambda tx: numbers.in_use(tx, account.provider, account.account), long=True)
        there = await account.numbers.list()
        findings = await self._database.read(lambda tx: _judge_all(tx, account, there, before), long=True)
        for late in (one for one in findings if one.verdict == "late"):
            await account.numbers.release(late.provider_id)
            log.warning("late_purchase_released", saga=late.saga)
        await self._database.write(lambda tx: tx.stage(*_alerts(tx, findings)))
        return findings


def _judge_all(tx: Tx, account: Account, there: list[OwnedNumber], before: set[str]) -> list[Finding]:
    rows = numbers.owned(tx, account.provider, account.account)
    marked = [domain.marked_saga(one.name) for one in there]
    steady = before & numbers.in_use(tx, account.provider, account.account)
    return judge(there, rows, sagas.states(tx, [one for one in marked if one]), steady)


def judge(
    there: Sequence[OwnedNumber], rows: Sequence[Mapping[Any, Any]], known: Mapping[Any, Any], steady: set[str]
) -> list[Finding]:
    """What each number is: of those the provider has, and of those only we have. Pure.

    `steady` were in use before the provider was asked and after: only these can be missing.
    """
    held = {row["number"]: row for row in rows}
    findings = [_judge(one, held.get(one.number), known) for one in there]
    lost = steady - {one.number for one in there}
    return findings + [_missing(held[number]) for number in sorted(lost)]


def _missing(row: Mapping[Any, Any]) -> Finding:
    return Finding("missing", row["number"], row["saga"], row["provider_id"], row["organisation"])


def _judge(one: OwnedNumber, row: Mapping[Any, Any] | None, known: Mapping[Any, Any]) -> Finding:
    saga = domain.marked_saga(one.name)
    if row is not None:
        return Finding("ours", one.number, row["saga"], one.provider_id, row["organisation"])
    if not saga:
        return Finding("unmarked", one.number, "", one.provider_id)
    began = known.get(saga)
    if began is None:
        return Finding("orphan", one.number, saga, one.provider_id)
    return Finding(
        _AFTER[began["state"]], one.number, saga, one.provider_id, began["organisation"], _cost(began["wish"])
    )


def _cost(wish: str) -> str:
    monthly = orjson.loads(wish).get("monthly", {})
    return f"{monthly['micros'] / 1e6:.2f} {monthly['currency']} a month" if monthly.get("micros") else ""


def _alerts(tx: Tx, findings: Sequence[Finding]) -> list[AlertRaised]:
    alerts = []
    for one in findings:
        if tells := _TELLS.get(one.verdict):
            severity, code, text = tells
            cost = one.cost or "monthly cost unknown here" if one.verdict == "orphan" else ""
            alerts.append(
                AlertRaised.first(
                    one.organisation,
                    key=f"{code}:{one.number}:{tx.now:%Y-%m-%d}",
                    severity=severity,
                    code=code,
                    summary=f"number …{one.number[-2:]} {text}" + (f" ({cost})" if cost else ""),
                    subject_id=one.provider_id or one.saga,
                )
            )
    return alerts
