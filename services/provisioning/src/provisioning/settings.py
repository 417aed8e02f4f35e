"""What provisioning is told from outside; refuses addresses it could not give to a provider."""

from __future__ import annotations

import common.settings
from pydantic import Field, field_validator


class Settings(common.settings.Settings):
    """One provisioning worker."""

    public_url: str = Field(
        default="https://hooks.switchboard.test", description="Public origin of the gateway; providers call it."
    )
    fallback_url: str = Field(default="", description="Second public origin for webhooks; `public_url` when empty.")
    twilio_api_url: str = Field(default="https://api.twilio.com", description="Base URL of the provider's API.")
    provisioning_wait: float = Field(
        default=10.0, ge=0, description="Seconds an order waits for its saga before it answers `running`."
    )
    provisioning_lease: float = Field(
        default=15.0, gt=0, description="Seconds after which another replica takes over a saga whose worker is silent."
    )
    provisioning_reap_every: float = Field(
        default=300.0, gt=0, description="Seconds between comparisons of the provider's inventory with ours."
    )

    @field_validator("public_url", "fallback_url", "twilio_api_url")
    @classmethod
    def _is_an_origin(cls, url: str) -> str:
        if url and not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is no http(s) URL; give one such as https://hooks.example.com")
        return url.rstrip("/")
