"""The terms that hold where nobody has set others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from common.catalogue.billing import Limits

from billing.caps import Scope
from billing.rates import Rate


@dataclass(frozen=True, slots=True)
class Terms:
    """Defaults of this installation."""

    organisation_limits: Limits
    organisation_rate: int
    agent_rate: int
    burst: timedelta

    def limits(self, scope: Scope, limits: Limits | None) -> Limits:
        """The caps in force: a new organisation has a modest one, an agent those of its organisation alone."""
        return limits or (self.organisation_limits if scope == "organisation" else Limits())

    def rate(self, scope: Scope, limits: Limits | None) -> Rate:
        """The rate in force: there always is one."""
        default = self.organisation_rate if scope == "organisation" else self.agent_rate
        return Rate.of((limits and limits.rate_per_minute) or default, self.burst)
