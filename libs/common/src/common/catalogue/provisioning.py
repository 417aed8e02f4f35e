"""Organisations, agents, their tokens and numbers: who is who, and who owns which address."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from common.catalogue.values import Address, Channel, Done, Money, Step
from common.messages import Event, Order, Query, Value

Tier = Literal["operator", "organisation", "agent"]


class OrganisationCreated(Event, subject="provisioning.v1.organisation.created"):
    """A tenant exists."""

    title: str


class ProjectCreated(Event, subject="provisioning.v1.project.created"):
    """A project of an organisation exists."""

    project: str
    title: str


class AgentProvisioned(Event, subject="provisioning.v1.agent.provisioned"):
    """An agent has its address and may send and receive."""

    agent: str
    project: str
    title: str
    address: Address


class AgentDeprovisioned(Event, subject="provisioning.v1.agent.deprovisioned"):
    """An agent is gone: tokens dead, address given back."""

    agent: str


class ProvisioningFailed(Event, subject="provisioning.v1.agent.failed"):
    """A provisioning was undone; everything it had done is taken back."""

    saga: str
    agent: str
    code: str
    reason: str


class NumberBought(Event, subject="provisioning.v1.number.bought"):
    """A number is ours at the provider and owned by this agent; it costs `monthly` from now on."""

    agent: str
    saga: str
    number: str
    provider: str
    provider_id: str
    monthly: Money


class NumberReleased(Event, subject="provisioning.v1.number.released"):
    """A number was given back; it costs nothing more."""

    agent: str
    number: str
    provider_id: str


class TokenIssued(Event, subject="provisioning.v1.token.issued"):
    """A token exists. Its secret is in no event."""

    token: str
    tier: Tier
    agent: str = ""


class TokenRevoked(Event, subject="provisioning.v1.token.revoked"):
    """A token is dead on every replica within a second."""

    token: str


# orders


class OrganisationReply(Value):
    """The new organisation; `token` is shown this once and never again."""

    organisation: str
    project: str
    token_id: str
    token: str = ""


class CreateOrganisation(Order[OrganisationReply], subject="provisioning.v1.organisation.create"):
    """Make a tenant with a first project and an organisation token. Asked under `platform`."""

    title: str = Field(min_length=1, max_length=200)


class ProjectReply(Value):
    """The new project."""

    project: str


class CreateProject(Order[ProjectReply], subject="provisioning.v1.project.create"):
    """Make another project."""

    title: str = Field(min_length=1, max_length=200)


class ChannelState(Value):
    """One channel of an agent."""

    channel: Channel
    state: Literal["active", "provisioning", "failed", "releasing", "released", "unavailable"]
    address: str = ""
    reason: str = ""


class ChannelsReply(Value):
    """An agent and its channels; `token` is shown this once and never again."""

    saga: str
    agent: str
    state: Literal["running", "active", "failed", "releasing", "released", "stuck"]
    channels: list[ChannelState] = Field(default_factory=list)
    token_id: str = ""
    token: str = ""
    reason: str = ""


class ProvisionChannels(Order[ChannelsReply], subject="provisioning.v1.channels.provision"):
    """Give an agent its own number and a token. Answers when the saga ended or after about ten seconds."""

    patience: ClassVar[float] = 12.0
    title: str = Field(min_length=1, max_length=200)
    project: str = ""
    country: str = Field(default="US", min_length=2, max_length=2)
    area_code: str = Field(default="", max_length=5)


class DeprovisionChannels(Order[ChannelsReply], subject="provisioning.v1.channels.deprovision"):
    """Take an agent's tokens and number back. Answers when the saga ended or after about ten seconds."""

    patience: ClassVar[float] = 12.0
    agent: str


class IssuedToken(Value):
    """`token` is shown this once and never again; asked again, the reply comes without it."""

    token_id: str
    token: str = ""
    expires_at: datetime | None = None


class IssueToken(Order[IssuedToken], subject="provisioning.v1.token.issue"):
    """Another token: two of an agent may live at once while it is rotated."""

    tier: Tier = "agent"
    agent: str = ""
    scopes: list[str] = Field(default_factory=list)
    expires_in: int | None = Field(default=None, ge=1, description="Seconds from now.")


class RevokeToken(Order[Done], subject="provisioning.v1.token.revoke"):
    """End a token: refused on every replica within a second."""

    token_id: str


# queries


class ChannelStatus(Value):
    """One agent as others may see it."""

    agent: str
    title: str
    project: str
    state: str
    channels: list[ChannelState]


class ChannelStatusList(Value):
    """Agents of one organisation."""

    agents: list[ChannelStatus]


class GetChannelStatus(Query[ChannelStatusList], subject="provisioning.v1.channels.status"):
    """One agent, or all of the organisation when `agent` is empty."""

    agent: str = ""


class TokenLine(Value):
    """A token without its secret."""

    token_id: str
    tier: Tier
    agent: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class TokenList(Value):
    """Newest first."""

    tokens: list[TokenLine]


class ListTokens(Query[TokenList], subject="provisioning.v1.token.list"):
    """The tokens of an organisation, or of one agent."""

    agent: str = ""


class SagaTrace(Value):
    """What a provisioning did, step by step."""

    saga: str
    agent: str
    state: str
    steps: list[Step]


class TraceProvisioning(Query[SagaTrace], subject="provisioning.v1.saga.trace"):
    """Follow one provisioning by its agent or its saga."""

    agent: str = ""
    saga: str = ""


class OrganisationLine(Value):
    """A tenant in a list."""

    organisation: str
    title: str
    created_at: datetime


class OrganisationList(Value):
    """Oldest first."""

    organisations: list[OrganisationLine]


class ListOrganisations(Query[OrganisationList], subject="provisioning.v1.organisation.list"):
    """Every tenant, for operators. Asked under `platform`."""


class RouteOwner(Value):
    """Whose an address is; empty when it is nobody's."""

    organisation: str = ""
    agent: str = ""
    route: str = ""


class ResolveRoute(Query[RouteOwner], subject="provisioning.v1.route.resolve"):
    """Who owns this address at this provider account? For messages the directory could not place. Under `platform`."""

    account: str
    address: Address


class HoldState(Value):
    """What provisioning knows of a saga billing holds money for."""

    known: bool
    ended: bool = False


class GetSagaHold(Query[HoldState], subject="provisioning.v1.saga.hold"):
    """Asked by billing before it lets an old hold go."""

    saga: str
