"""Everything that comes in, and who deals with it."""

from __future__ import annotations

from common.bus import Bus
from common.catalogue import messages

from messaging.desk import Desk
from messaging.inbound import Inbound
from messaging.outbound import Outbound
from messaging.policy import Policy
from messaging.reports import Reports
from messaging.review import Review


def register(
    bus: Bus, inbound: Inbound, reports: Reports, outbound: Outbound, desk: Desk, policy: Policy, review: Review
) -> None:
    """Bind each message to its handler."""
    bus.subscribe(messages.SmsReceived, "inbound", inbound.received)
    bus.subscribe(messages.SmsStatusReported, "reports", reports.reported)
    bus.serve(messages.SendMessage, outbound.send)
    bus.serve(messages.LeaseMessages, desk.lease)
    bus.serve(messages.WithdrawLease, desk.withdraw)
    bus.serve(messages.AcknowledgeMessages, desk.acknowledge)
    bus.serve(messages.GetMessages, desk.read)
    bus.serve(messages.RecordConsent, policy.record_consent)
    bus.serve(messages.RevokeConsent, policy.revoke_consent)
    bus.serve(messages.CheckConsent, policy.check_consent)
    bus.serve(messages.SetKillSwitch, policy.set_kill_switch)
    bus.serve(messages.SetDestinations, policy.set_destinations)
    bus.serve(messages.TraceMessage, review.trace)
    bus.serve(messages.ListUnresolved, review.unresolved)
    bus.serve(messages.GetOperation, review.operation)
    bus.serve(messages.DecideUnknown, review.decide)
