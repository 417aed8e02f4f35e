"""Usage, caps and prices."""

from __future__ import annotations

from common.catalogue.billing import (
    BillingSummary,
    GetBillingSummary,
    GetLimits,
    GetPriceBook,
    GetUsage,
    Limits,
    LimitsReply,
    PriceBook,
    SetBillingConfig,
    SetLimits,
    Usage,
)
from common.catalogue.values import Done

from mcp_edge.call import Call, ordering, querying
from mcp_edge.tool import Arguments, Tool, fields_of


async def set_limits(call: Call, arguments: Arguments) -> Done:
    """All caps at once: one that is left out is lifted."""
    return await call.order(SetLimits, limits=Limits(**arguments.asked()))


TOOLS = (
    Tool(
        name="comms_get_usage_dashboard",
        title="Usage and caps",
        description="Usage by agent, kind and UTC day, and every cap that applies with what is used and held, and when "
        "its window ends. Amounts are millionths of the currency's unit.",
        about="agent_or_all",
        tiers=("agent", "organisation", "operator"),
        core=("agent", "organisation"),
        arguments=fields_of(GetUsage, since="First UTC day (YYYY-MM-DD); thirty days back when left out."),
        result=Usage,
        run=querying(GetUsage),
    ),
    Tool(
        name="comms_set_agent_limits",
        title="Set caps",
        description="Set all caps of an agent, or (operators alone) of the organisation when no agent is named. "
        "One that is left out is lifted. Windows are UTC calendar days and months.",
        about="agent_or_all",
        tiers=("organisation", "operator"),
        core=("organisation", "operator"),
        arguments=fields_of(
            Limits,
            money_per_day="Most millionths of a US dollar a UTC day.",
            money_per_month="Most millionths of a US dollar a UTC month.",
            messages_per_day="Most texts a UTC day.",
            messages_per_month="Most texts a UTC month.",
            rate_per_minute="Most texts a minute.",
        ),
        result=Done,
        run=set_limits,
        effect="changes",
    ),
    Tool(
        name="comms_get_limits",
        title="Caps as set",
        description="The caps of an agent, or of the organisation when no agent is named.",
        about="agent_or_all",
        tiers=("agent", "organisation", "operator"),
        result=LimitsReply,
        run=querying(GetLimits),
    ),
    Tool(
        name="comms_get_billing_summary",
        title="Billing summary",
        description="This UTC month: what providers cost, what the organisation is billed, what is held.",
        about="organisation",
        tiers=("organisation", "operator"),
        core=("organisation", "operator"),
        result=BillingSummary,
        run=querying(GetBillingSummary),
    ),
    Tool(
        name="comms_set_billing_config",
        title="Set the markup",
        description="What the organisation pays on top of the providers' cost.",
        about="organisation",
        tiers=("operator",),
        arguments=fields_of(SetBillingConfig, markup_percent="Percent on top of cost, from 0 to 1000."),
        result=Done,
        run=ordering(SetBillingConfig),
        effect="changes",
    ),
    Tool(
        name="comms_get_price_book",
        title="Price book",
        description="What things cost before the provider says so, each with its date and source.",
        about="organisation_or_all",
        tiers=("organisation", "operator"),
        result=PriceBook,
        run=querying(GetPriceBook),
    ),
)
