"""Agents and their numbers: give, show, take back."""

from __future__ import annotations

from common.catalogue.provisioning import (
    ChannelsReply,
    ChannelStatusList,
    DeprovisionChannels,
    GetChannelStatus,
    ProvisionChannels,
    SagaTrace,
    TraceProvisioning,
)
from common.errors import NotFound

from mcp_edge.call import Call, ordering, querying
from mcp_edge.tool import Arguments, Tool, fields_of


async def status(call: Call, _arguments: Arguments) -> ChannelStatusList:
    """An agent that is named and not there is not found, whoever's it may be."""
    found = await call.query(GetChannelStatus)
    if call.agent and not found.agents:
        raise NotFound(f"no agent {call.agent}", code="no_agent")
    return found


TOOLS = (
    Tool(
        name="comms_provision_channels",
        title="Provision an agent",
        description="Make an agent with a phone number and a token of its own. This buys a number. The token is shown "
        "once, in this answer. `state` running means: not finished yet; look with comms_provisioning_trace.",
        about="organisation",
        tiers=("organisation", "operator"),
        core=("organisation", "operator"),
        arguments=fields_of(
            ProvisionChannels,
            title="What people call the agent.",
            project="The project it belongs to; the first one when left out.",
            country="Where its number should be: ISO 3166 code of two letters.",
            area_code="Area code wanted, where the country has them.",
        ),
        result=ChannelsReply,
        run=ordering(ProvisionChannels),
        effect="adds",
        key="always",
        dated=True,
        leaves=True,
    ),
    Tool(
        name="comms_deprovision_channels",
        title="Remove an agent",
        description="Take an agent's tokens and number back for good. The number is lost and its rent ends.",
        about="agent",
        tiers=("organisation", "operator"),
        core=("organisation", "operator"),
        result=ChannelsReply,
        run=ordering(DeprovisionChannels),
        effect="ends",
        leaves=True,
    ),
    Tool(
        name="comms_get_channel_status",
        title="Channels of an agent",
        description="Agents with their channels: which address each has, and whether it works.",
        about="agent_or_all",
        tiers=("agent", "organisation", "operator"),
        core=("agent", "organisation", "operator"),
        result=ChannelStatusList,
        run=status,
    ),
    Tool(
        name="comms_provisioning_trace",
        title="Trace a provisioning",
        description="What a provisioning did, step by step, also when it was undone. Name the agent or the saga.",
        about="agent_or_all",
        tiers=("organisation", "operator"),
        arguments=fields_of(TraceProvisioning, saga="The saga's id, as comms_provision_channels returned it."),
        result=SagaTrace,
        run=querying(TraceProvisioning),
    ),
)
