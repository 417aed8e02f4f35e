"""What stands behind the door may be gone: a 2xx still means that the text arrives, once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import sqlite3
from collections import Counter
from pathlib import Path

import httpx

from tests.conftest import declare_streams
from tests.gateway.standing import Door, Standing, a_door, answering, ending
from tests.gateway.stream import bodies
from tests.support.servers import Broker, free_port


def ids(found: list[dict[str, object]]) -> list[str]:
    return sorted(str(body["data"]["provider_id"]) for body in found)  # type: ignore[index]


def expected(count: int) -> list[str]:
    return [f"SM{n:032x}" for n in range(count)]


async def test_without_a_broker_texts_are_taken_and_reach_it_when_it_comes(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "nats", free_port())
    async with a_door(Standing(tmp_path / "data", broker.url).prepare()) as door:
        assert [(await door.text(n)).status_code for n in range(20)] == [200] * 20
        ready = await door.ready()
        assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
        broker.start()
        try:
            await declare_streams(broker)
            assert ids(await bodies(broker, 20)) == expected(20)
        finally:
            broker.stop()


async def test_a_broker_that_comes_back_empty_is_given_every_text_again(tmp_path: Path, broker: Broker) -> None:
    async with a_door(Standing(tmp_path / "data", broker.url).prepare()) as door:
        for n in range(10):
            await door.text(n)
        await bodies(broker, 10)
        broker.kill()
        broker.forget()
        for n in range(10, 20):
            assert (await door.text(n)).status_code == 200
        broker.start()
        await declare_streams(broker)
        assert ids(await bodies(broker, 20)) == expected(20)


async def test_a_broker_killed_and_started_again_has_each_text_once(tmp_path: Path, broker: Broker) -> None:
    async with a_door(Standing(tmp_path / "data", broker.url).prepare()) as door:
        texts = [asyncio.create_task(door.text(n)) for n in range(100)]
        broker.kill()
        assert {(await text).status_code for text in texts} == {200}
        broker.start()
        assert ids(await bodies(broker, 100)) == expected(100)


async def test_a_full_disk_answers_503_and_not_ready_until_there_is_room(tmp_path: Path) -> None:
    standing = Standing(tmp_path).prepare()
    with ending(standing.process()) as process:
        await answering(standing.url)
        async with httpx.AsyncClient(base_url=standing.url) as client:
            door = Door(standing, client)
            assert (await door.text(1)).status_code == 200
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, hard))
            answer = await door.text(2)
            assert (answer.status_code, answer.json()["code"]) == (503, "spool")
            assert (await door.ready()).status_code == 503
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
            assert (await door.text(2)).status_code == 200
            assert (await door.ready()).status_code == 200


async def test_three_instances_share_a_folder_and_each_text_arrives_once(tmp_path: Path, broker: Broker) -> None:
    standing = Standing(tmp_path / "data", broker.url).prepare()
    async with contextlib.AsyncExitStack() as stack:
        doors = [await stack.enter_async_context(a_door(one)) for one in (standing, *map(standing.beside, "12"))]
        answers = await asyncio.gather(*(doors[n % 3].text(n) for n in range(90)))
        assert {answer.status_code for answer in answers} == {200}
        found = await bodies(broker, 90)
    assert ids(found) == expected(90)
    producers = Counter(str(body["source"]) for body in found)
    assert sorted(producers.values()) == [30, 30, 30]
    assert {name.rpartition("-")[0] for name in producers} == {f"switchboard/gateway-{slot}" for slot in range(3)}


async def test_each_producers_sequence_is_dense(tmp_path: Path, broker: Broker) -> None:
    async with a_door(Standing(tmp_path / "data", broker.url).prepare()) as door:
        await asyncio.gather(*(door.text(n % 30) for n in range(90)))
        found = await bodies(broker, 30)
    assert sorted(int(body["sequence"]) for body in found) == list(range(1, 31))


async def test_a_gateway_killed_under_load_loses_nothing_that_it_answered(tmp_path: Path, broker: Broker) -> None:
    """Its broker does not answer, so that everything is still in its spool; another instance publishes it."""
    broker_less = Standing(tmp_path / "data").prepare()
    taken: set[int] = set()
    with ending(broker_less.process()) as process:
        await answering(broker_less.url)
        async with httpx.AsyncClient(base_url=broker_less.url) as client:
            senders = [
                asyncio.create_task(_keep_texting(Door(broker_less, client), start, taken)) for start in range(8)
            ]
            while len(taken) < 60:  # noqa: ASYNC110 - until enough have been answered
                await asyncio.sleep(0.005)
            os.kill(process.pid, signal.SIGKILL)
            await asyncio.gather(*senders)
    in_spool = {row[0] for row in sqlite3.connect(broker_less.spool / "spool-0.db").execute("SELECT seq FROM rows")}
    assert len(in_spool) >= len(taken)
    survivor = Standing(tmp_path / "data", broker.url)
    other = survivor.spool / "spool-0.lock"
    assert other.exists()
    async with a_door(survivor):
        found = await bodies(broker, len(in_spool))
    assert {f"SM{n:032x}" for n in taken} <= set(ids(found))
    assert len(ids(found)) == len(set(ids(found)))


async def _keep_texting(door: Door, start: int, taken: set[int]) -> None:
    n = start
    with contextlib.suppress(httpx.TransportError):
        while True:
            if (await door.text(n)).status_code == 200:
                taken.add(n)
            n += 8


async def test_a_living_instance_publishes_what_a_dead_one_left(tmp_path: Path, broker: Broker) -> None:
    living = Standing(tmp_path / "data", broker.url).prepare()
    dead = Standing(tmp_path / "data", instance="1")
    async with a_door(living) as door:
        with ending(dead.process()) as process:
            await answering(dead.url)
            async with httpx.AsyncClient(base_url=dead.url) as client:
                assert (await Door(dead, client).text(1)).status_code == 200
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        assert (await door.text(0)).status_code == 200
        assert ids(await bodies(broker, 2)) == expected(2)


async def test_a_gateway_killed_at_any_step_still_has_what_it_answered(tmp_path: Path) -> None:
    for step in ("g1", "g2", "g3"):
        standing = Standing(tmp_path / step).prepare()
        with ending(standing.process(CRASH_AT=f"{step}:3")):
            await answering(standing.url)
            answered = await _until_killed(standing)
        db = sqlite3.connect(standing.spool / "spool-0.db")
        kept = db.execute("SELECT count(*) FROM rows").fetchone()[0]
        db.close()
        assert (answered, kept) == {"g1": (2, 2), "g2": (2, 3), "g3": (3, 3)}[step]


async def _until_killed(standing: Standing) -> int:
    answered = 0
    async with httpx.AsyncClient(base_url=standing.url) as client:
        with contextlib.suppress(httpx.TransportError):
            while True:
                answered += (await Door(standing, client).text(answered)).status_code == 200
    return answered
