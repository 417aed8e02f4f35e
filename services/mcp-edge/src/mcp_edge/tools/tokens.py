"""Tokens: issue, list, revoke. A secret is in one answer only."""

from __future__ import annotations

from common.catalogue.provisioning import IssuedToken, IssueToken, ListTokens, RevokeToken, TokenList
from common.catalogue.values import Done

from mcp_edge.call import Call, ordering, querying
from mcp_edge.tool import Arguments, Tool, fields_of


async def issue(call: Call, arguments: Arguments) -> IssuedToken:
    """For the agent that is named, else for the organisation itself."""
    tier = "agent" if call.agent else "organisation"
    return await call.order(IssueToken, tier=tier, **arguments.asked())


TOOLS = (
    Tool(
        name="comms_issue_token",
        title="Issue a token",
        description="Another token for an agent, or for the organisation when no agent is named. It is shown once, in "
        "this answer. To rotate: issue the new one, put it to use, revoke the old one.",
        about="agent_or_all",
        tiers=("organisation", "operator"),
        core=("organisation",),
        arguments=fields_of(IssueToken, expires_in="Seconds until it ends by itself; never when left out."),
        result=IssuedToken,
        run=issue,
        effect="adds",
        key="given",
    ),
    Tool(
        name="comms_list_tokens",
        title="List tokens",
        description="Tokens without their secrets, newest first.",
        about="agent_or_all",
        tiers=("organisation", "operator"),
        result=TokenList,
        run=querying(ListTokens),
    ),
    Tool(
        name="comms_revoke_token",
        title="Revoke a token",
        description="End a token: it is refused everywhere within a second.",
        about="organisation",
        tiers=("organisation", "operator"),
        core=("organisation",),
        arguments=fields_of(RevokeToken, token_id="The token's id, not its secret."),  # noqa: S106 - a description
        result=Done,
        run=ordering(RevokeToken),
        effect="ends",
    ),
)
