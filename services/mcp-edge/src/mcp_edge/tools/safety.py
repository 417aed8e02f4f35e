"""What a person holds in hand: the kill switch, destinations, texts of unknown outcome, alerts, the chains."""

from __future__ import annotations

from common.catalogue.audit import AlertList, ChainStatus, GetChainStatus, ListAlerts
from common.catalogue.messages import (
    DecideUnknown,
    ListUnresolved,
    SetDestinations,
    SetKillSwitch,
    UnresolvedList,
)
from common.catalogue.values import Done

from mcp_edge.call import ordering, querying
from mcp_edge.tool import Tool, fields_of

TOOLS = (
    Tool(
        name="comms_set_kill_switch",
        title="Stop or allow sending",
        description="Stop all sending of an agent, or of the organisation when no agent is named; or allow it again.",
        about="agent_or_all",
        tiers=("organisation", "operator"),
        core=("operator",),
        arguments=fields_of(SetKillSwitch, stopped="True stops, false allows again.", reason="Why, for the record."),
        result=Done,
        run=ordering(SetKillSwitch),
        effect="changes",
    ),
    Tool(
        name="comms_set_destinations",
        title="Set allowed countries",
        description="The countries that the organisation may text; every other is refused. The list replaces the old.",
        about="organisation",
        tiers=("organisation", "operator"),
        arguments=fields_of(SetDestinations, countries='ISO 3166 codes of two letters, such as ["US", "CA"].'),
        result=Done,
        run=ordering(SetDestinations),
        effect="changes",
    ),
    Tool(
        name="comms_list_unresolved",
        title="Texts of unknown outcome",
        description="Texts that left without an answer, oldest first; a resolver, then a person, decides on each.",
        about="organisation",
        tiers=("organisation", "operator"),
        core=("operator",),
        result=UnresolvedList,
        run=querying(ListUnresolved),
    ),
    Tool(
        name="comms_decide_unknown",
        title="Decide on an unknown outcome",
        description="Say, having looked at the provider, whether a text of unknown outcome was sent. It is not sent "
        "again either way.",
        about="organisation",
        tiers=("organisation", "operator"),
        core=("operator",),
        arguments=fields_of(
            DecideUnknown,
            message="The message's id.",
            sent="True if the provider took it.",
            provider_id="The provider's id for it, when it was sent.",
            reason="How you know.",
        ),
        result=Done,
        run=ordering(DecideUnknown),
        effect="changes",
    ),
    Tool(
        name="comms_list_alerts",
        title="List alerts",
        description="What wanted a person's eye, newest first.",
        about="organisation_or_all",
        tiers=("organisation", "operator"),
        core=("operator",),
        arguments=fields_of(ListAlerts, limit="At most so many."),
        result=AlertList,
        run=querying(ListAlerts),
    ),
    Tool(
        name="comms_get_audit_status",
        title="State of the audit chains",
        description="Head and length of each chain, and events that are known to exist and were not seen.",
        about="organisation_or_all",
        tiers=("organisation", "operator"),
        result=ChainStatus,
        run=querying(GetChainStatus),
    ),
)
