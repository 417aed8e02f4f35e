"""Who owns which address and token, as provisioning last said: what the edges and messaging look things up in.

Two snapshots: the directory (routes, agents, token hashes) and the credentials (sealed provider secrets).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from common.bus import Bus
from common.catalogue.provisioning import Tier
from common.catalogue.values import Address
from common.errors import NotFound
from common.messages import Value
from common.sealed import Sealer
from common.snapshot import Follower

DIRECTORY, CREDENTIALS = "directory", "credentials"


class Route(Value):
    """One door at the gateway: the addresses behind it and the agent that owns them."""

    route: str
    organisation: str
    agent: str
    provider: str
    account: str
    addresses: list[Address]


class TokenEntry(Value):
    """A live token by its keyed hash."""

    hash: str
    token: str
    tier: Tier
    organisation: str
    agent: str = ""
    scopes: list[str] = field(default_factory=list)
    expires_at: datetime | None = None


class DirectoryContent(Value):
    """All of it."""

    routes: list[Route]
    tokens: list[TokenEntry]


class Credential(Value):
    """One provider account's secret, sealed under its name `<provider>/<account>`."""

    provider: str
    account: str
    sealed: str
    main: bool = False

    @property
    def name(self) -> str:
        """What it is sealed under."""
        return f"{self.provider}/{self.account}"


@dataclass
class Directory:
    """The newest snapshot, indexed. Look-ups are plain dictionary reads."""

    routes: dict[str, Route] = field(default_factory=dict)
    by_agent: dict[tuple[str, str], Route] = field(default_factory=dict)
    tokens: dict[str, TokenEntry] = field(default_factory=dict)

    def accept(self, _revision: int, content: dict[str, Any]) -> None:
        """Replace everything by a complete snapshot."""
        whole = DirectoryContent.model_validate(content)
        self.routes = {route.route: route for route in whole.routes}
        self.by_agent = {(route.organisation, route.agent): route for route in whole.routes}
        self.tokens = {token.hash: token for token in whole.tokens}

    def follow(self, bus: Bus, data: Path) -> Follower:
        """Keep this directory up to date; the caller runs the follower."""
        return Follower(bus, DIRECTORY, data / "directory.json", self.accept)

    def route_of(self, organisation: str, agent: str) -> Route:
        """An agent's own route; `NotFound` for any agent that is not this organisation's."""
        route = self.by_agent.get((organisation, agent))
        if route is None:
            raise NotFound(f"no agent {agent} with a number; provision one first", code="no_agent")
        return route


@dataclass
class Credentials:
    """Opened provider secrets by account."""

    sealer: Sealer
    _secrets: dict[tuple[str, str], str] = field(default_factory=dict)
    _main: dict[str, str] = field(default_factory=dict)

    def accept(self, _revision: int, content: dict[str, Any]) -> None:
        """Open every record of a complete snapshot."""
        records = TypeAdapter(list[Credential]).validate_python(content["credentials"])
        self._secrets = {(r.provider, r.account): self.sealer.open(r.name, r.sealed) for r in records}
        self._main = {r.provider: r.account for r in records if r.main}

    def follow(self, bus: Bus, data: Path) -> Follower:
        """Keep these up to date; the caller runs the follower. On disk they stay sealed."""
        return Follower(bus, CREDENTIALS, data / "credentials.json", self.accept)

    def secret(self, provider: str, account: str) -> str:
        """The account's secret; `NotFound` when there is none."""
        try:
            return self._secrets[provider, account]
        except KeyError:
            raise NotFound(f"no credentials for {provider} account …{account[-4:]}", code="no_credentials") from None

    def main_account(self, provider: str) -> str:
        """The owner's own account at a provider."""
        try:
            return self._main[provider]
        except KeyError:
            raise NotFound(f"no {provider} account is configured", code="no_credentials") from None
