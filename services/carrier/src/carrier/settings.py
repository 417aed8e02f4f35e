"""What an operator decides before the carrier starts. Refuses to listen beyond loopback unless told to."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from carrier.hosts import parse_hosts


class Settings(BaseSettings):
    """One carrier, read from `CARRIER_*`. Everything has a default that suits a laptop."""

    model_config = SettingsConfigDict(env_prefix="CARRIER_", extra="ignore")

    host: str = Field("127.0.0.1", description="Address to listen on; only loopback unless ALLOW_BIND is 1.")
    port: int = Field(4010, ge=1, le=65535, description="TCP port of REST, control API and health.")
    allow_bind: bool = Field(False, description="1 allows a non-loopback HOST, for containers only.")
    data_dir: Path = Field(Path("data/carrier"), description="Folder of the ledger and the generated secrets.")
    public_url: str = Field("", description="How clients reach this carrier (media links); default from HOST, PORT.")
    account_sid: str = Field(
        "", pattern=r"^(AC[0-9a-f]{32})?$", description="Main account; empty: generated into account.json."
    )
    auth_token: SecretStr = Field(SecretStr(""), description="Its token; empty: file below, else generated.")
    auth_token_file: Path | None = Field(None, description="File holding the main account's token.")
    control_token: SecretStr = Field(SecretStr(""), description="Bearer token of /control; empty: see below.")
    control_token_file: Path | None = Field(None, description="File with it; default control.token in DATA_DIR.")
    hosts: str = Field(
        "", description="Public hosts and where they really are: 'name=addr:port|addr:port,name2=addr:port'."
    )
    short_codes: str = Field("72975,89203", description="Short codes the main account owns, comma-separated.")
    blocked_regions: str = Field("", description="ISO countries to which sending is refused (21408), e.g. 'FR,AU'.")
    opt_out: Literal["on", "off"] = Field("on", description="Whether the carrier itself handles STOP words.")
    repeat_on_timeout: bool = Field(False, description="1 also retries message webhooks whose answer is late.")
    media_auth: bool = Field(False, description="1 asks for account credentials before serving media.")
    status_step_ms: int = Field(50, ge=0, description="Pause in ms between queued, sending, sent and delivered.")
    price_delay_ms: int = Field(1500, ge=0, description="Time in ms from sent until the price is known.")

    @field_validator("hosts")
    @classmethod
    def _hosts_can_be_read(cls, value: str) -> str:
        parse_hosts(value)
        return value

    @model_validator(mode="after")
    def _stay_on_loopback(self) -> Self:
        if not self.allow_bind and not _is_loopback(self.host):
            raise ValueError(f"CARRIER_HOST={self.host} is not loopback; set CARRIER_ALLOW_BIND=1 in a container")
        return self

    @property
    def base_url(self) -> str:
        """Where clients find this carrier, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def short_code_list(self) -> list[str]:
        """Short codes the main account owns from the start."""
        return _listed(self.short_codes)

    @property
    def blocked_region_set(self) -> frozenset[str]:
        """ISO countries to which no text may be sent."""
        return frozenset(code.upper() for code in _listed(self.blocked_regions))


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
