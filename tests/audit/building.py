"""Events and databases for the tests of audit."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

from audit import domain
from audit.domain import Received
from audit.settings import Settings
from common import envelope
from common.catalogue.audit import AlertRaised

from tests.support.servers import Broker


def an_alert(n: int, organisation: str = "org_a") -> AlertRaised:
    return AlertRaised.first(
        organisation, key=str(n), severity="low", code="test", summary=f"number {n}", subject_id=str(n)
    )


def an_event(n: int, organisation: str = "org_a", *, producer: str = "test", sequence: int | None = None) -> Received:
    alert = an_alert(n, organisation)
    body = envelope.encode(alert, producer=producer, sequence=sequence or n)
    return domain.received(alert.subject, body)


def events(numbers: Iterable[int], organisation: str = "org_a") -> list[Received]:
    return [an_event(n, organisation) for n in numbers]


def some_settings(broker: Broker, url: str, folder: Path, **more: object) -> Settings:
    keys = folder / "secrets"
    keys.mkdir(exist_ok=True)
    key = keys / "audit-checkpoint.key"
    if not key.exists():
        key.write_text(secrets.token_hex(32))
    return Settings(
        nats_auth=False,
        nats_url=broker.url,
        database_url=url,
        data=folder,
        secrets=keys,
        internal_port=0,
        **more,  # type: ignore[arg-type]
    )
