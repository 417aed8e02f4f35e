"""Settings every service has. Built once in `__main__` from `SWITCHBOARD_*` variables; nothing is read on import."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What each process needs to live in the house."""

    model_config = SettingsConfigDict(env_prefix="SWITCHBOARD_", extra="ignore")

    data: Path = Field(default=Path("data"), description="Folder for this installation's files; git-ignored.")
    secrets: Path = Field(default=Path("data/secrets"), description="Folder of secret files, readable by us alone.")
    nats_url: str = Field(default="nats://127.0.0.1:4222", description="The broker.")
    nats_user: str = Field(default="", description="Broker user; the service's own name when empty.")
    nats_auth: bool = Field(default=True, description="Off only for a broker without users, as tests start.")
    database_url: str = Field(
        default="",
        description="SQLAlchemy URL of this service's database; an SQLite file in the data folder when empty. "
        "`{service}` is replaced by the service's name and `{password}` by its secret file.",
    )
    instance: str = Field(default="0", description="Tells replicas of one service apart, in logs and file names.")
    internal_host: str = Field(default="127.0.0.1", description="Where health and metrics listen.")
    internal_port: int = Field(default=0, description="Port of health and metrics; 0 takes a free one.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least level logged.")

    def secret(self, name: str) -> str:
        """The content of a secret file. Fails with the path to create when it is missing or empty."""
        path = self.secrets / name
        value = path.read_text().strip() if path.exists() else ""
        if not value:
            raise SystemExit(f"secret file {path} is missing or empty; `switchboard secrets` creates it")
        return value

    def key(self, name: str) -> bytes:
        """A secret file of hexadecimal digits, as bytes."""
        return bytes.fromhex(self.secret(name))

    def broker_login(self, service: str) -> tuple[str, str]:
        """User and password at the broker; empty where the broker has no users."""
        if not self.nats_auth:
            return "", ""
        user = self.nats_user or service
        return user, self.secret(f"nats-{user}.password")

    def database(self, service: str) -> str:
        """The URL of one service's database."""
        if not self.database_url:
            return f"sqlite:///{self.data / service}.db"
        url = self.database_url.replace("{service}", service.replace("-", "_"))
        return url.replace("{password}", self.secret(f"db-{service}.password")) if "{password}" in url else url
