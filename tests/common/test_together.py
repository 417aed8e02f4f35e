"""Requests that share messages: alone at once, in a crowd together, and nobody held up by another's failure."""

from __future__ import annotations

import asyncio

import pytest
from common.together import MOST, MOST_BYTES, Together, join, split


class Owner:
    """Answers each line with itself in capitals, when it is let."""

    def __init__(self) -> None:
        self.messages: list[list[bytes]] = []
        self.open = asyncio.Event()
        self.fault: Exception | None = None

    async def send(self, _subject: str, body: bytes, _timeout: float) -> bytes:
        self.messages.append(split(body))
        await self.open.wait()
        if self.fault:
            raise self.fault
        return join([line.upper() for line in split(body)])


@pytest.fixture
def owner() -> Owner:
    return Owner()


async def asked(together: Together, *bodies: bytes, timeout: float = 5) -> list[asyncio.Task[bytes]]:
    tasks = [asyncio.create_task(together.ask("orders.x", body, timeout)) for body in bodies]
    await turns()
    return tasks


async def turns() -> None:
    """So many of the loop that whoever has something to send has sent it."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_alone_waits_for_nobody(owner: Owner) -> None:
    owner.open.set()
    together = Together(owner.send)
    assert [await together.ask("orders.x", body, 5) for body in (b"a", b"b")] == [b"A", b"B"]
    assert owner.messages == [[b"a"], [b"b"]]


async def test_who_asks_in_the_same_moment_goes_together(owner: Owner) -> None:
    tasks = await asked(Together(owner.send), b"a", b"b")
    owner.open.set()
    assert await asyncio.gather(*tasks) == [b"A", b"B"]
    assert owner.messages == [[b"a", b"b"]]


async def test_what_gathers_while_one_is_on_its_way_goes_together(owner: Owner) -> None:
    together = Together(owner.send)
    tasks = await asked(together, b"a")
    tasks += await asked(together, b"b", b"c", b"d")
    assert owner.messages == [[b"a"]]
    owner.open.set()
    assert await asyncio.gather(*tasks) == [b"A", b"B", b"C", b"D"]
    assert owner.messages == [[b"a"], [b"b", b"c", b"d"]]


async def test_subjects_do_not_mix(owner: Owner) -> None:
    together = Together(owner.send)
    tasks = await asked(together, b"a")
    other = asyncio.create_task(together.ask("orders.y", b"b", 5))
    await turns()
    assert owner.messages == [[b"a"], [b"b"]]
    owner.open.set()
    assert await asyncio.gather(*tasks, other) == [b"A", b"B"]


async def test_no_message_is_longer_than_the_broker_takes(owner: Owner) -> None:
    large = b"x" * (MOST_BYTES // 2 + 1)
    together = Together(owner.send)
    tasks = await asked(together, b"a")
    tasks += await asked(together, large, large, *[b"b"] * (MOST + 1))
    owner.open.set()
    answers = await asyncio.gather(*tasks)
    assert [len(lines) for lines in owner.messages] == [1, 1, 1 + MOST - 1, 2]
    assert answers == [b"A", large.upper(), large.upper(), *[b"B"] * (MOST + 1)]


async def test_a_failure_is_everyones_and_the_next_are_asked_anew(owner: Owner) -> None:
    together = Together(owner.send)
    tasks = await asked(together, b"a", b"b", b"c")
    owner.fault = OSError("gone")
    owner.open.set()
    assert [type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)] == [OSError] * 3
    owner.fault = None
    assert await together.ask("orders.x", b"d", 5) == b"D"


async def test_who_gave_up_is_not_asked_for(owner: Owner) -> None:
    together = Together(owner.send)
    [first] = await asked(together, b"a")
    second, third = await asked(together, b"b", b"c")
    second.cancel()
    await asyncio.wait({second})
    owner.open.set()
    assert [await first, await third] == [b"A", b"C"]
    assert owner.messages == [[b"a"], [b"c"]]


async def test_who_is_not_answered_in_time_hears_so(owner: Owner) -> None:
    together = Together(owner.send)
    [first] = await asked(together, b"a")
    [second] = await asked(together, b"b", timeout=0.05)
    with pytest.raises(TimeoutError):
        await second
    owner.open.set()
    assert await first == b"A"
