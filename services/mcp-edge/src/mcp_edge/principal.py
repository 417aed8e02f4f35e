"""Who is asking, as their token proves it: never what an argument says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from common.catalogue.provisioning import Tier
from common.messages import Actor


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a live token. `agent` is empty above the agent's tier."""

    tier: Tier
    organisation: str
    agent: str
    token: str
    hash: str
    expires_at: datetime | None = None

    @property
    def actor(self) -> Actor:
        """As orders carry it."""
        return Actor(tier=self.tier, token=self.token)
