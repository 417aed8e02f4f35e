"""The wire reads every way an answer can be framed, keeps warm lines, and says how far a request got."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from carrier.wire import ConnectFailed, NoReply, Wire, WireReply

from tests.carrier.running import free_port

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(answers: list[bytes], connections: list[int] | None = None) -> AsyncIterator[str]:
    """Answer each request of each connection with the next bytes; an empty answer closes the line."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if connections is not None:
            connections.append(1)
        while answers and (await reader.readuntil(b"\r\n\r\n")):
            answer = answers.pop(0)
            writer.write(answer)
            if not answer or b"Connection: close" in answer:
                break
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


async def ask(wire: Wire, address: str, read_s: float = 10) -> WireReply:
    return await wire.request(address, "GET", "/", {"Host": "a.test"}, None, 10, read_s)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
    ],
)
async def test_a_body_is_read_however_it_is_framed(answer: bytes) -> None:
    wire = Wire()
    async with server([answer]) as address:
        reply = await ask(wire, address)
    assert (reply.status, reply.body) == (200, b"hello")
    await wire.close()


async def test_a_warm_line_is_used_again() -> None:
    wire, connections = Wire(), list[int]()
    async with server([b"HTTP/1.1 204 No Content\r\n\r\n"] * 3, connections) as address:
        for _ in range(3):
            assert (await ask(wire, address)).status == 204
    assert len(connections) == 1
    await wire.close()


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"])
async def test_an_answer_that_is_none_is_told_apart_from_no_connection(answer: bytes) -> None:
    wire = Wire()
    async with server([answer]) as address:
        with pytest.raises(NoReply):
            await ask(wire, address)
    with pytest.raises(ConnectFailed):
        await ask(wire, f"127.0.0.1:{free_port()}")


async def test_a_header_with_a_line_break_is_never_sent() -> None:
    wire = Wire()
    async with server([]) as address:
        with pytest.raises(NoReply, match="line break"):
            await wire.request(address, "GET", "/", {"Host": "a\r\nX: y"}, None, 10, 10)
