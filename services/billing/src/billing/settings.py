"""What billing can be told."""

from __future__ import annotations

import common.settings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class Settings(common.settings.Settings):
    """Billing's settings, beside those of every service."""

    model_config = SettingsConfigDict(env_prefix="SWITCHBOARD_", extra="ignore")

    billing_money_per_day: int = Field(
        default=10_000_000,
        ge=0,
        description="Cap of an organisation whose limits nobody has set: micro-units of USD a UTC day.",
    )
    billing_agent_rate: int = Field(
        default=60, ge=1, description="Sends a minute of an agent whose limits name no rate of its own."
    )
    billing_organisation_rate: int = Field(
        default=600, ge=1, description="Sends a minute of an organisation whose limits name no rate of its own."
    )
    billing_burst_seconds: float = Field(
        default=10, ge=0, description="A sender that was idle may send at once what it earns in this time."
    )
    billing_hold_age: float = Field(
        default=900, ge=0, description="Seconds after which the owner of an open hold is asked what became of it."
    )
    billing_resolve_every: float = Field(
        default=60, gt=0, description="Seconds between looks at old holds; one is let go at the second doubt."
    )
    billing_rent_every: float = Field(default=60, gt=0, description="Seconds between looks for rent that has come due.")
