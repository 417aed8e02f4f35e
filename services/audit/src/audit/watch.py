"""What audit does by itself: it looks for missing events, and writes checkpoints of the heads."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog
from common.catalogue.audit import AlertRaised
from common.db import Database, Tx
from common.messages import PLATFORM

from audit.chain import Head
from audit.checkpoints import Notary
from audit.settings import Settings
from audit.store import chains, producers

log = structlog.get_logger()


class Watch:
    """Two endless tasks over one database."""

    def __init__(self, database: Database, notary: Notary, settings: Settings) -> None:
        self._database, self._notary, self._settings = database, notary, settings

    async def gaps(self) -> None:
        """Raise an alert for every gap that stays open too long."""
        age = timedelta(seconds=self._settings.audit_gap_age)
        while True:
            raised = await self._database.write(lambda tx: producers.raise_overdue(tx, age))
            if raised:
                log.error("events_missing", gaps=raised)
            await asyncio.sleep(self._settings.audit_gap_every)

    async def checkpoints(self) -> None:
        """Write down the heads that moved."""
        while True:
            await self.checkpoint()
            await asyncio.sleep(self._settings.audit_checkpoint_every)

    async def checkpoint(self) -> None:
        """One look at the heads; those that moved are written down, those that went back raise an alert."""
        now, heads, lost = await self._database.read(self._look, long=True)
        for organisation in lost:
            await self._database.write(lambda tx, name=organisation: tx.stage(_rolled_back(name, self._notary)))  # type: ignore[misc]
        kept = {name: head for name, head in heads.items() if name not in lost}
        await asyncio.to_thread(self._notary.write, now, kept)

    def _look(self, tx: Tx) -> tuple[datetime, dict[str, Head], list[str]]:
        heads = chains.all_heads(tx)
        written = self._notary.heads.items()
        return tx.now, heads, [name for name, head in written if not _holds(tx, name, head, heads.get(name))]


def _holds(tx: Tx, organisation: str, written: Head, stored: Head | None) -> bool:
    """Whether the chain still goes through the head that was written down."""
    if stored is not None and stored == written:
        return True
    return chains.hash_at(tx, organisation, written.n) == written.hash


def _rolled_back(organisation: str, notary: Notary) -> AlertRaised:
    head = notary.heads[organisation]
    return AlertRaised.first(
        PLATFORM,
        key=f"chain_rolled_back/{organisation}/{head.n}/{head.hash.hex()}",
        severity="critical",
        code="chain_rolled_back",
        summary=f"the chain of {organisation} no longer holds entry {head.n} of a signed checkpoint; run audit verify",
        subject_id=organisation,
    )
