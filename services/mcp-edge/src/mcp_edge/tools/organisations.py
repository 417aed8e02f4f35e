"""The caller, tenants and their projects."""

from __future__ import annotations

from datetime import UTC, datetime

from common.catalogue.provisioning import (
    CreateOrganisation,
    CreateProject,
    ListOrganisations,
    OrganisationList,
    OrganisationReply,
    ProjectReply,
    Tier,
)
from common.messages import Value

from mcp_edge.call import Call, ordering, querying
from mcp_edge.tool import Arguments, Tool, fields_of


class Pong(Value):
    """The edge answers; this is who your token says you are."""

    tier: Tier
    organisation: str
    agent: str
    token_id: str
    time: datetime


async def ping(call: Call, _arguments: Arguments) -> Pong:
    """Without asking anybody else."""
    who = call.principal
    return Pong(
        tier=who.tier, organisation=who.organisation, agent=who.agent, token_id=who.token, time=datetime.now(UTC)
    )


TOOLS = (
    Tool(
        name="comms_ping",
        title="Ping",
        description="Whether the connection works, and who your token says you are.",
        about="caller",
        tiers=("agent", "organisation", "operator"),
        core=("agent", "organisation"),
        result=Pong,
        run=ping,
    ),
    Tool(
        name="comms_create_organization",
        title="Create an organisation",
        description="Make a tenant with a first project and an organisation token, shown once, in this answer.",
        about="installation",
        tiers=("operator",),
        core=("operator",),
        arguments=fields_of(CreateOrganisation, title="What people call it."),
        result=OrganisationReply,
        run=ordering(CreateOrganisation),
        effect="adds",
        key="always",
    ),
    Tool(
        name="comms_list_organizations",
        title="List organisations",
        description="Every tenant, oldest first.",
        about="installation",
        tiers=("operator",),
        core=("operator",),
        result=OrganisationList,
        run=querying(ListOrganisations),
    ),
    Tool(
        name="comms_create_project",
        title="Create a project",
        description="Make another project of the organisation.",
        about="organisation",
        tiers=("organisation", "operator"),
        arguments=fields_of(CreateProject, title="What people call it."),
        result=ProjectReply,
        run=ordering(CreateProject),
        effect="adds",
        key="always",
    ),
)
