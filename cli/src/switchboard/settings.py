"""What the command line reads from the environment: where the installation is, how many of each service to start."""

from __future__ import annotations

from pathlib import Path

import common.settings
from pydantic import Field
from pydantic_settings import SettingsConfigDict


class Settings(common.settings.Settings):
    """Settings of `switchboard`; those of the services it starts are theirs, passed on from the same environment."""

    model_config = SettingsConfigDict(env_prefix="SWITCHBOARD_", extra="ignore")

    secrets: Path = Field(default=Path(), description="Folder of secret files; `secrets` in the data folder if empty.")
    port_base: int = Field(default=8400, ge=1024, le=65000, description="First of the ports a local run takes.")
    replicas: str = Field(
        default="",
        description="How many of each in a local run, such as `gateway=3,workers=2,mcp-edge=2`; one if unset.",
    )
    public_url: str = Field(
        default="https://hooks.switchboard.test",
        description="The public origin of webhooks: what providers are told, and what signatures are checked against.",
    )
    admin_database_url: str = Field(
        default="",
        description="PostgreSQL as someone who may create roles and schemas, for `switchboard migrate`; `{password}` "
        "is replaced by the secret file `db-admin.password`.",
    )
    url: str = Field(default="", description="Base URL of a running installation's REST; found in run.json if empty.")
    token_file: Path = Field(
        default=Path(), description="File with the token to show there; the operator token of run.json if empty."
    )

    organization: str = Field(default="", description="The organisation commands concern when `-o` names none.")

    @property
    def secrets_folder(self) -> Path:
        """Where the secret files are."""
        return self.data / "secrets" if self.secrets == Path() else self.secrets
