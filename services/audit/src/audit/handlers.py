"""What comes in: every event, alerts among them, and two questions."""

from __future__ import annotations

import structlog
from common import inbox
from common.bus import Bus
from common.catalogue.audit import AlertList, AlertRaised, ChainStatus, GetChainStatus, ListAlerts
from common.db import Database, Tx
from common.messages import PLATFORM

from audit.intake import PACE, Intake
from audit.store import alerts, chains, producers

log = structlog.get_logger()


def register(bus: Bus, database: Database, intake: Intake) -> None:
    """Say who handles what."""

    async def keep_alert(alert: AlertRaised) -> None:
        def work(tx: Tx) -> bool:
            return inbox.first_time(tx, "alerts", alert) and alerts.keep(tx, alert)

        if await database.write(work):
            _tell(alert)

    async def list_alerts(query: ListAlerts) -> AlertList:
        return AlertList(
            alerts=await database.read(lambda tx: alerts.newest(tx, query.organisation, query.limit)),
        )

    async def chain_status(query: GetChainStatus) -> ChainStatus:
        def work(tx: Tx) -> ChainStatus:
            gaps = producers.lines(tx) if query.organisation == PLATFORM else []
            return ChainStatus(chains=chains.lines(tx, query.organisation), gaps=gaps)

        return await database.read(work, long=True)

    bus.subscribe_raw(["comms.>"], "chain", intake.handle, pace=PACE)
    bus.subscribe(AlertRaised, "alerts", keep_alert)
    bus.serve(ListAlerts, list_alerts)
    bus.serve(GetChainStatus, chain_status)


def _tell(alert: AlertRaised) -> None:
    say = log.error if alert.severity in ("high", "critical") else log.warning
    say("alert", severity=alert.severity, code=alert.code, summary=alert.summary, subject_id=alert.subject_id)
