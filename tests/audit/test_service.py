"""The whole service over a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import nats
import pytest
import sqlalchemy as sa
from audit import checkpoints
from audit.app import build
from audit.store import chains
from audit.store.tables import entries
from common import envelope, service
from common.bus import Bus
from common.catalogue.audit import AlertLine, GetChainStatus, ListAlerts
from common.errors import Unavailable
from common.messages import PLATFORM, Event

from tests.audit.building import an_alert, an_event, some_settings
from tests.support.databases import Tables
from tests.support.servers import Broker


async def publish(broker: Broker, *wired: tuple[Event, int]) -> None:
    client = await nats.connect(broker.url)
    for event, sequence in wired:
        body = envelope.encode(event, producer="elsewhere", sequence=sequence)
        await client.jetstream().publish(event.subject, body, headers=envelope.headers(event.id))
    await client.close()


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 - another process; nothing to wait on
            await asyncio.sleep(0.02)


async def ask(broker: Broker, query: Any) -> Any:
    bus = Bus("asker", broker.url)
    await bus.start()
    try:
        return await bus.query(query)
    except Unavailable:
        return None
    finally:
        await bus.stop()


async def test_what_is_published_is_chained_once_and_checkpointed(
    broker: Broker, database_url: str, tmp_path: Path
) -> None:
    settings = some_settings(broker, database_url, tmp_path)
    house = await build(settings)
    async with service.running(house, settings):
        await publish(broker, *((an_alert(n, f"org_{n % 2}"), n) for n in range(1, 101)))

        async def all_chained() -> bool:
            found = await ask(broker, GetChainStatus(organisation=PLATFORM))
            return found is not None and sum(line.length for line in found.chains) == 100

        await until(all_chained)
        mine = await ask(broker, GetChainStatus(organisation="org_1"))
    assert [(line.organisation, line.length) for line in mine.chains] == [("org_1", 50)]
    written = settings.checkpoint_folder
    public = bytes.fromhex((written / "checkpoint.pub").read_text())
    heads = {
        name: head
        for line in checkpoints.read(written / "checkpoints-0.jsonl", public)
        for name, head in line.heads.items()
    }
    assert {name: head.n for name, head in heads.items()} == {"org_0": 50, "org_1": 50}, "the last line is of the end"


async def test_a_missing_event_raises_one_alert_and_closes_when_it_comes(
    broker: Broker, database_url: str, tmp_path: Path
) -> None:
    settings = some_settings(broker, database_url, tmp_path, audit_gap_age=0.2, audit_gap_every=0.05)
    house = await build(settings)

    async def gap_alerts() -> list[AlertLine]:
        found = await ask(broker, ListAlerts(organisation=PLATFORM))
        return [line for line in found.alerts if line.code == "event_gap"] if found else []

    async with service.running(house, settings):
        await publish(broker, (an_alert(1), 1), (an_alert(3), 3))
        await until(lambda: _is_true(gap_alerts))
        status = await ask(broker, GetChainStatus(organisation=PLATFORM))
        assert [(gap.producer, gap.first, gap.last) for gap in status.gaps] == [("switchboard/elsewhere", 2, 2)]
        await publish(broker, (an_alert(2), 2))

        async def closed() -> bool:
            return not (await ask(broker, GetChainStatus(organisation=PLATFORM))).gaps

        await until(closed)
        [alert] = await gap_alerts()
        assert (alert.severity, alert.subject_id) == ("high", "switchboard/elsewhere")

        async def own_alert_chained() -> bool:
            found = await ask(broker, GetChainStatus(organisation=PLATFORM))
            return any(line.organisation == PLATFORM for line in found.chains)

        await until(own_alert_chained)


async def _is_true(find: Callable[[], Awaitable[list[AlertLine]]]) -> bool:
    return bool(await find())


async def test_bytes_that_are_no_event_become_a_dead_letter_with_the_reason(
    broker: Broker, tables: Tables, tmp_path: Path
) -> None:
    settings = some_settings(broker, tables.sqlite(tmp_path / "audit.db"), tmp_path)
    house = await build(settings)
    client = await nats.connect(broker.url)
    async with service.running(house, settings):
        await client.jetstream().publish("comms.org_a.messages.v1.sms.received", b"not json")

        async def set_aside() -> bool:
            return (await client.jetstream().stream_info("DEAD")).state.messages == 1

        await until(set_aside)
        letter = await client.jetstream().get_msg("DEAD", 1)
    await client.close()
    assert letter.headers is not None
    assert "not an event" in letter.headers["Dead-Reason"]


async def test_a_database_set_back_behind_a_checkpoint_raises_a_critical_alert(
    broker: Broker, tables: Tables, tmp_path: Path
) -> None:
    settings = some_settings(broker, tables.sqlite(tmp_path / "audit.db"), tmp_path)
    house = await build(settings)
    assert house.database is not None
    await house.database.write(lambda tx: chains.append(tx, [an_event(1), an_event(2)]))
    async with service.running(house, settings):
        pass
    again = await build(settings)
    assert again.database is not None

    def forge(tx: Any) -> None:
        tx.execute(sa.update(entries).where(entries.c.n == 2).values(hash=b"x" * 32))
        tx.execute(sa.text("UPDATE heads SET n = 1"))

    await again.database.write(forge)

    async def raised() -> bool:
        found = await ask(broker, ListAlerts(organisation=PLATFORM))
        return found is not None and any(line.code == "chain_rolled_back" for line in found.alerts)

    async with service.running(again, settings):
        await until(raised)


async def test_a_checkpoint_file_that_was_changed_keeps_audit_from_starting(
    broker: Broker, tables: Tables, tmp_path: Path
) -> None:
    settings = some_settings(broker, tables.sqlite(tmp_path / "audit.db"), tmp_path)
    settings.checkpoint_folder.mkdir()
    (settings.checkpoint_folder / "checkpoints-0.jsonl").write_text("{}\n")
    with pytest.raises(SystemExit, match="keep the file as evidence"):
        await build(settings)
