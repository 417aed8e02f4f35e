"""Settings of the gateway."""

from __future__ import annotations

from pathlib import Path

import common.settings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class Settings(common.settings.Settings):
    """What the gateway needs beyond what every service needs."""

    model_config = SettingsConfigDict(env_prefix="SWITCHBOARD_", extra="ignore")

    gateway_host: str = Field(default="127.0.0.1", description="Where the gateway listens for webhooks.")
    gateway_port: int = Field(default=8080, description="Port for webhooks; 0 takes a free one.")
    public_url: str = Field(
        default="https://hooks.switchboard.test",
        description="Public origin of the webhooks, as providers were told it: signatures are checked over it.",
    )
    gateway_spool: Path | None = Field(
        default=None,
        description="Folder of the local spool, on a disk that survives us; `spool` in the data folder when empty. "
        "Instances may share it.",
    )
    gateway_body_limit: int = Field(default=64 * 1024, description="Most bytes of one webhook's body.")

    @property
    def spool_folder(self) -> Path:
        """Where the spool files are."""
        return self.gateway_spool or self.data / "spool"
