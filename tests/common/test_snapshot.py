"""Snapshots: a follower has the newest whole state it ever saw, and nothing less."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from common.bus import Bus
from common.errors import Unavailable
from common.snapshot import Follower, Publisher, heartbeat_subject

from tests.conftest import declare_streams
from tests.support.servers import Broker


class Reader:
    """A follower and what it was given."""

    def __init__(self, bus: Bus, disk: Path) -> None:
        self.states: list[tuple[int, dict[str, Any]]] = []
        self.follower = Follower(bus, "directory", disk, lambda *state: self.states.append(state))


@contextlib.asynccontextmanager
async def following(broker: Broker, folder: Path) -> AsyncIterator[Reader]:
    bus = Bus("reader", broker.url)
    reader = Reader(bus, folder / "directory.json")
    reader.follower.load_disk()
    await bus.start()
    running = asyncio.create_task(reader.follower.run())
    yield reader
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bus.stop()


@pytest.fixture
async def owner(broker: Broker) -> AsyncIterator[Bus]:
    bus = Bus("owner", broker.url)
    await bus.start()
    yield bus
    await bus.stop()


async def test_a_follower_takes_what_is_there_and_what_comes(broker: Broker, owner: Bus, tmp_path: Path) -> None:
    publisher = Publisher(owner, "directory")
    await publisher.publish(3, {"n": 3})
    async with following(broker, tmp_path) as reader:
        assert await reader.follower.wait_for(3)
        await publisher.publish(4, {"n": 4})
        assert await reader.follower.wait_for(4)
        assert reader.follower.age < 60
    assert reader.states == [(3, {"n": 3}), (4, {"n": 4})]


async def test_a_lower_revision_replaces_nothing(broker: Broker, owner: Bus, tmp_path: Path) -> None:
    publisher = Publisher(owner, "directory")
    await publisher.publish(5, {"n": 5})
    await Publisher(owner, "directory").publish(4, {"n": 4})
    async with following(broker, tmp_path) as reader:
        assert await reader.follower.wait_for(5)
    assert reader.states == [(5, {"n": 5})]


async def test_replicas_that_publish_at_once_leave_the_newest_whole_and_nothing_else(
    broker: Broker, owner: Bus, tmp_path: Path
) -> None:
    replicas = [Publisher(owner, "directory") for _ in range(4)]
    content = {n: {"n": n, "fill": "x" * 600_000} for n in range(1, 21)}
    await asyncio.gather(*(replicas[n % 4].publish(n, content[n]) for n in content))
    async with following(broker, tmp_path) as reader:
        assert await reader.follower.wait_for(20, timeout=15)
    assert reader.states[-1] == (20, content[20])
    held = await owner.client.jetstream().stream_info("KV_directory", subjects_filter="$KV.directory.>")
    assert sorted(held.state.subjects or {}) == [
        "$KV.directory.chunk.20.0",
        "$KV.directory.chunk.20.1",
        "$KV.directory.head",
    ]


async def test_a_state_of_many_chunks_arrives_whole(broker: Broker, owner: Bus, tmp_path: Path) -> None:
    content = {"routes": ["x" * 1000] * 2000}
    await Publisher(owner, "directory").publish(1, content)
    async with following(broker, tmp_path) as reader:
        assert await reader.follower.wait_for(1, timeout=15)
    assert reader.states == [(1, content)]


async def test_an_empty_bucket_replaces_nothing_and_its_owner_fills_it_again(
    broker: Broker, owner: Bus, tmp_path: Path
) -> None:
    publisher = Publisher(owner, "directory")
    await publisher.publish(7, {"n": 7})
    async with following(broker, tmp_path) as reader:
        assert await reader.follower.wait_for(7)
        broker.kill()
        broker.forget()
        broker.start()
        await declare_streams(broker)
        async with asyncio.timeout(15):
            while not owner.connected:  # noqa: ASYNC110 - another process; nothing to wait on
                await asyncio.sleep(0.02)
            while await publisher.current() != 0:  # noqa: ASYNC110 - another process; nothing to wait on
                await asyncio.sleep(0.02)
        await publisher.beat(8)
        assert reader.follower.revision == 7
        await publisher.publish(8, {"n": 8})
        assert await reader.follower.wait_for(8, timeout=15)
    assert reader.states == [(7, {"n": 7}), (8, {"n": 8})]


async def test_the_last_state_is_on_disk_for_a_start_without_a_broker(
    broker: Broker, owner: Bus, tmp_path: Path
) -> None:
    await Publisher(owner, "directory").publish(2, {"n": 2})
    async with following(broker, tmp_path) as reader:
        assert await reader.follower.wait_for(2)
    again = Reader(Bus("reader", "nats://127.0.0.1:1"), tmp_path / "directory.json")
    with pytest.raises(Unavailable):
        await again.follower.ready()
    again.follower.load_disk()
    await again.follower.ready()
    assert again.states == [(2, {"n": 2})]
    assert (tmp_path / "directory.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("raw", [b"", b"{", b"{}", b'{"revision":"x","content":{}}'])
def test_a_file_that_is_not_whole_is_no_state(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "directory.json").write_bytes(raw)
    reader = Reader(Bus("reader", "nats://127.0.0.1:1"), tmp_path / "directory.json")
    reader.follower.load_disk()
    assert (reader.follower.loaded, reader.states) == (False, [])


async def test_a_snapshot_that_is_being_replaced_is_not_taken(broker: Broker, owner: Bus, tmp_path: Path) -> None:
    publisher = Publisher(owner, "directory")
    await publisher.publish(1, {"n": 1})
    store = await owner.client.jetstream().key_value("directory")
    async with following(broker, tmp_path) as reader:
        assert await reader.follower.wait_for(1)
        await store.put("chunk.2.0", b'{"n":"half"}')
        await store.put("head", b'{"revision":2,"chunks":1,"sha256":"other"}')
        await owner.client.publish(heartbeat_subject("directory"), b'{"revision":2}')
        assert not await reader.follower.wait_for(2, timeout=0.5)
        await publisher.publish(3, {"n": 3})
        assert await reader.follower.wait_for(3)
    assert reader.states == [(1, {"n": 1}), (3, {"n": 3})]
