"""What only this adapter has to know: whether a byte left, and how its provider writes things."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import orjson
import pytest
from common.catalogue.values import Money
from common.directory import Credentials
from common.errors import Rejected, SwitchboardError, Unavailable, Unknown
from common.sealed import Sealer
from messaging.providers.port import Text
from messaging.providers.twilio import TwilioSms

from tests.support.servers import free_port

ACCOUNT = "AC" + "1" * 32
TEXT = Text("att1", ACCOUNT, "+14155550100", "+14155550123", "hi", "https://hooks.test/webhooks/rt/status/att1")

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def credentials(account: str = ACCOUNT) -> Credentials:
    sealer = Sealer(b"k" * 32)
    opened = Credentials(sealer)
    record = {"provider": "twilio", "account": account, "sealed": sealer.seal(f"twilio/{account}", "secret")}
    opened.accept(1, {"credentials": [record]})
    return opened


async def committed() -> None:
    """What may leave at once."""


async def never() -> None:
    raise AssertionError("committed to a request that cannot leave")


@asynccontextmanager
async def adapter_of(serve: Serve, *, timeout: float = 5) -> AsyncIterator[TwilioSms]:
    """The adapter, talking to a server that does what the test wants with each connection."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    adapter = TwilioSms(f"http://127.0.0.1:{port}", credentials(), timeout=timeout)
    async with server:
        yield adapter
        await adapter.close()


def answering(status: int, body: bytes, *headers: str) -> Serve:
    head = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close", *headers]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    return serve


async def error_of(serve: Serve, *, timeout: float = 5) -> SwitchboardError:
    async with adapter_of(serve, timeout=timeout) as adapter:
        with pytest.raises(SwitchboardError) as caught:
            await adapter.send(TEXT, committed)
    return caught.value


async def test_where_nobody_listens_nothing_left_and_nothing_was_committed_to() -> None:
    adapter = TwilioSms(f"http://127.0.0.1:{free_port()}", credentials(), timeout=5)
    with pytest.raises(Unavailable):
        await adapter.send(TEXT, never)
    await adapter.close()


async def test_a_request_is_committed_to_when_its_connection_stands_and_nothing_was_written() -> None:
    arrived, seen = asyncio.Event(), list[bytes]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        seen.append(await reader.read(1 << 16))
        writer.close()

    async def leave() -> None:
        await arrived.wait()
        assert seen == []

    async with adapter_of(serve) as adapter:
        with pytest.raises(Unknown):
            await adapter.send(TEXT, leave)
    assert seen[0].startswith(b"POST ")


async def test_the_time_a_commit_takes_is_not_the_providers() -> None:
    body = orjson.dumps({"sid": "SM1"})

    async def leave() -> None:
        await asyncio.to_thread(threading.Event().wait, 0.6)

    async with adapter_of(answering(201, body), timeout=0.5) as adapter:
        assert await adapter.send(TEXT, leave) == "SM1"


async def test_without_credentials_nothing_leaves() -> None:
    adapter = TwilioSms(f"http://127.0.0.1:{free_port()}", credentials("AC" + "2" * 32), timeout=5)
    with pytest.raises(Unavailable) as caught:
        await adapter.send(TEXT, never)
    assert caught.value.code == "no_credentials"
    await adapter.close()


async def test_a_connection_closed_without_an_answer_is_unknown() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    assert isinstance(await error_of(serve), Unknown)


async def test_an_answer_that_does_not_come_in_time_is_unknown() -> None:
    done = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    error = await error_of(serve, timeout=0.2)
    done.set()
    assert isinstance(error, Unknown)


async def test_an_answer_cut_off_in_the_middle_is_unknown() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n{")
        await writer.drain()
        writer.close()

    assert isinstance(await error_of(serve), Unknown)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"sid": 7}'])
async def test_a_success_without_an_id_is_unknown(body: bytes) -> None:
    assert isinstance(await error_of(answering(201, body)), Unknown)


async def test_a_refusal_carries_the_providers_code_and_words() -> None:
    body = orjson.dumps({"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400})
    error = await error_of(answering(400, body))
    assert (isinstance(error, Rejected), error.code) == (True, "provider_21610")
    assert "unsubscribed" in error.detail


@pytest.mark.parametrize("status", [500, 502, 503, 504, 302])
async def test_an_answer_that_is_neither_yes_nor_no_is_unknown(status: int) -> None:
    assert isinstance(await error_of(answering(status, b"")), Unknown)


async def test_a_pause_asked_for_is_kept() -> None:
    error = await error_of(answering(429, b"{}", "Retry-After: 7"))
    assert isinstance(error, Unavailable)
    assert error.retry_after == 7


@pytest.mark.parametrize(
    ("price", "unit", "expected"),
    [
        ("-0.00830", "USD", Money(micros=8300)),
        ("-0.0075005", "usd", Money(micros=7500)),
        ("0.01", "EUR", Money(micros=-10000, currency="EUR")),
        (None, "USD", None),
        ("soon", "USD", None),
    ],
)
async def test_prices_are_exact_micro_units(price: str | None, unit: str, expected: Money | None) -> None:
    body = orjson.dumps({"sid": "SM1", "status": "delivered", "price": price, "price_unit": unit})
    async with adapter_of(answering(200, body)) as adapter:
        assert (await adapter.fetch(ACCOUNT, "SM1")).price == expected


async def test_a_list_that_cannot_be_read_proves_nothing() -> None:
    for body in (b"{}", b'{"messages": [{}]}', b"oops"):
        async with adapter_of(answering(200, body)) as adapter:
            with pytest.raises(Unavailable):
                await adapter.find(TEXT, datetime.now(UTC))
