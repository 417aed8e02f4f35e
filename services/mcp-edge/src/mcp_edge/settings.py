"""What the edge for tokens needs to know."""

from __future__ import annotations

from urllib.parse import urlsplit

import common.settings
from pydantic import Field
from pydantic_settings import SettingsConfigDict

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Settings(common.settings.Settings):
    """Where it listens, and under which names it may be called."""

    model_config = SettingsConfigDict(env_prefix="SWITCHBOARD_", extra="ignore")

    edge_host: str = Field(default="127.0.0.1", description="Where tools (/mcp) and REST (/v1) listen.")
    edge_port: int = Field(default=8401, description="Port of tools and REST; 0 takes a free one.")
    edge_public_url: str = Field(
        default="http://127.0.0.1:8401", description="Origin under which agents reach tools and REST."
    )
    edge_allowed_hosts: str = Field(
        default="",
        description="Further host names, separated by commas, that requests may name in their Host header; the host of "
        "the public URL and loopback are always allowed.",
    )

    edge_progress_seconds: float = Field(
        default=10.0,
        gt=0,
        description="Seconds between signs of life while a tool waits; hosts give up on silent tools.",
    )

    def hosts(self) -> frozenset[str]:
        """Every host name, without port, that a request may name."""
        public = urlsplit(self.edge_public_url).hostname or ""
        more = (host.strip() for host in self.edge_allowed_hosts.split(","))
        return frozenset(host.lower() for host in (*_LOOPBACK, public, *more) if host)
