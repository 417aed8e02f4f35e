"""A provider reports what became of a text: proof of an attempt still without an answer, or progress of a sent text.

Reports name the attempt, so one that overtakes the provider's own answer is as good as that answer.
"""

from __future__ import annotations

from common import inbox
from common.catalogue.messages import SmsStatusReported
from common.db import Tx
from common.errors import Rejected
from common.messages import UNROUTED

from messaging import ledger
from messaging.lanes import Lanes, attempt_lane
from messaging.store import operations

_HANDLER = "reports"


class Reports:
    """Applies status reports, in whatever order and number they come."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes

    async def reported(self, report: SmsStatusReported) -> None:
        """Handle one report. `Rejected` when it is about no attempt of ours, or about another account's."""
        refused = await self._lanes.write(attempt_lane(report.attempt), report.time, lambda tx: _apply(tx, report))
        if refused:
            raise refused


def _apply(tx: Tx, report: SmsStatusReported) -> Rejected | None:
    row = operations.of_attempt(tx, report.attempt)
    if row is None or report.organisation not in (row.organisation, UNROUTED):
        return Rejected(f"a report about attempt {report.attempt}, which we never made", code="no_attempt")
    if (report.provider, report.account) != (row.provider, row.account):
        return Rejected(f"a report about attempt {report.attempt} from another account", code="wrong_account")
    if inbox.first_time(tx, _HANDLER, report) and ledger.taken(tx, row, report.provider_id, "a status report"):
        ledger.progressed(tx, row, report.status, report.error_code)
    return None
