"""The short way of plain webhooks and the long way of all others: one connection, answers in order, none lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.gateway.standing import MAIN, ROUTE, TOKENS, Standing, a_door, sign, sms

TARGET = f"/webhooks/{ROUTE}/sms"


class Wire:
    """A connection that is written and read as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> tuple[int, dict[bytes, bytes], bytes]:
        async with asyncio.timeout(10):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status, *lines = head.split(b"\r\n")[:-2]
            headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
            return (
                int(status.split()[1]),
                headers,
                await self.reader.readexactly(int(headers.get(b"content-length", 0))),
            )

    async def closed(self) -> bool:
        async with asyncio.timeout(10):
            return await self.reader.read() == b""


@pytest.fixture
async def standing(tmp_path: Path) -> AsyncIterator[Standing]:
    async with a_door(Standing(tmp_path).prepare()) as door:
        yield door.standing


@pytest.fixture
async def wire(standing: Standing) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", standing.port)
    yield Wire(reader, writer)
    writer.close()


def a_text(
    n: int = 1, *, version: str = "1.1", token: str = TOKENS[MAIN], also: Mapping[str, str] | None = None
) -> bytes:
    """A signed text as it is sent."""
    form = sms(n)
    body = urlencode(form).encode()
    lines = {"host": "hooks", **sign(TARGET, form, token), **(also or {})}
    if "transfer-encoding" in lines:
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    else:
        lines["content-length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {TARGET} HTTP/{version}\r\n{head}\r\n".encode() + body


async def test_a_connection_carries_one_text_after_another(wire: Wire) -> None:
    for n in range(3):
        wire.writer.write(a_text(n))
        status, headers, body = await wire.answer()
        assert (status, headers[b"content-type"]) == (200, b"text/xml")
        assert b"<Response" in body
        assert b"date" in headers


async def test_texts_sent_without_waiting_are_answered_in_their_order(wire: Wire) -> None:
    wire.writer.write(a_text(1) + a_text(2, token="wrong") + a_text(3) + a_text(4, token="wrong"))
    assert [(await wire.answer())[0] for _ in range(4)] == [200, 403, 200, 403]


async def test_a_text_that_comes_byte_by_byte_is_taken(wire: Wire) -> None:
    for byte in a_text():
        wire.writer.write(bytes([byte]))
        await wire.writer.drain()
    assert (await wire.answer())[0] == 200


async def test_a_text_in_chunks_is_taken(wire: Wire) -> None:
    wire.writer.write(a_text(also={"transfer-encoding": "chunked"}))
    assert (await wire.answer())[0] == 200


async def test_who_asks_first_is_told_to_go_on(wire: Wire) -> None:
    whole = a_text(also={"expect": "100-continue"})
    head, _, body = whole.partition(b"\r\n\r\n")
    wire.writer.write(head + b"\r\n\r\n")
    assert await wire.reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.writer.write(body)
    assert (await wire.answer())[0] == 200


@pytest.mark.parametrize(("version", "headers"), [("1.0", {}), ("1.1", {"connection": "close"})])
async def test_a_sender_that_wants_the_end_gets_it_after_the_answer(
    wire: Wire, version: str, headers: dict[str, str]
) -> None:
    wire.writer.write(a_text(version=version, also=headers))
    assert (await wire.answer())[0] == 200
    assert await wire.closed()


async def test_a_sender_that_hangs_up_too_early_leaves_the_door_open_for_others(standing: Standing, wire: Wire) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", standing.port)
    writer.write(a_text(1)[:-10])
    await writer.drain()
    writer.close()
    wire.writer.write(a_text(2))
    assert (await wire.answer())[0] == 200
