"""Settings of audit."""

from __future__ import annotations

from pathlib import Path

import common.settings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class Settings(common.settings.Settings):
    """Where checkpoints go, how often, and how patient audit is with a producer."""

    model_config = SettingsConfigDict(env_prefix="SWITCHBOARD_", extra="ignore")

    audit_checkpoints: Path | None = Field(
        default=None,
        description="Folder of the signed checkpoints; `audit` in the data folder when empty. Put it on another disk.",
    )
    audit_checkpoint_every: float = Field(default=5.0, gt=0, description="Seconds between checkpoints.")
    audit_gap_age: float = Field(default=30.0, gt=0, description="Seconds a missing event is waited for before alarm.")
    audit_gap_every: float = Field(default=5.0, gt=0, description="Seconds between two looks for missing events.")

    @property
    def checkpoint_folder(self) -> Path:
        """Where this installation's checkpoints are."""
        return self.audit_checkpoints or self.data / "audit"
