"""What messaging is told from outside, beyond what every service is."""

from __future__ import annotations

import common.settings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class Settings(common.settings.Settings):
    """Times are seconds."""

    model_config = SettingsConfigDict(env_prefix="SWITCHBOARD_", extra="ignore")

    public_url: str = Field(
        default="https://hooks.switchboard.test",
        description="Public origin of the gateway: providers report the fate of a text under it.",
    )
    twilio_api_url: str = Field(default="https://api.twilio.com", description="Origin of Twilio's REST API.")
    provider_timeout: float = Field(
        default=10.0, gt=0, description="Longest wait for a provider's answer; then the outcome is unknown."
    )
    messaging_dispatch_concurrency: int = Field(default=16, ge=1, description="Texts handed to providers at a time.")
    messaging_dispatch_lease: float = Field(
        default=30.0,
        gt=0,
        description="How long a replica may hold a text before another takes it over; an attempt in flight for longer "
        "becomes unknown. Must be well above provider_timeout.",
    )
    messaging_send_retry: float = Field(
        default=300.0, gt=0, description="How long a text that could not leave is tried again before it has failed."
    )
    messaging_unknown_grace: float = Field(
        default=60.0, ge=0, description="How long a provider's list may lack a text before that proves it was not sent."
    )
    messaging_unknown_deadline: float = Field(
        default=900.0, gt=0, description="How long we look for the fate of a text before a person is asked."
    )
    messaging_poll: float = Field(default=0.25, gt=0, description="Pause between looks for work that has become due.")
