"""Whether a person may be texted: ask, record, revoke."""

from __future__ import annotations

from common.catalogue.messages import CheckConsent, Consent, RecordConsent, RevokeConsent
from common.catalogue.values import Done

from mcp_edge.call import ordering, querying
from mcp_edge.tool import Tool, fields_of

_ADDRESS = "The person's number in international form, such as +14155550123."

TOOLS = (
    Tool(
        name="comms_check_consent",
        title="Check consent",
        description="Whether the agent may text this number now, since when, and how we know.",
        about="agent",
        tiers=("agent", "organisation", "operator"),
        core=("agent",),
        arguments=fields_of(CheckConsent, address=_ADDRESS),
        result=Consent,
        run=querying(CheckConsent),
    ),
    Tool(
        name="comms_record_consent",
        title="Record consent",
        description="State that a person allowed texts from this agent, and how you know. It does not undo a STOP that "
        "the person sent after it.",
        about="agent",
        tiers=("organisation", "operator"),
        arguments=fields_of(RecordConsent, address=_ADDRESS, evidence="How and when the person agreed."),
        result=Done,
        run=ordering(RecordConsent),
        effect="changes",
    ),
    Tool(
        name="comms_revoke_consent",
        title="Revoke consent",
        description="No more texts from this agent to this number, from now on.",
        about="agent",
        tiers=("organisation", "operator"),
        arguments=fields_of(RevokeConsent, address=_ADDRESS, evidence="Why, for the record."),
        result=Done,
        run=ordering(RevokeConsent),
        effect="changes",
    ),
)
