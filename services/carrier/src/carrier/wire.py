"""HTTP/1.1 to mapped addresses: plain, one request at a time on a connection, connections kept while they are warm.

A pooled client library costs 5 ms a request once a few hundred are in flight; this costs a fifth of a millisecond.
Refuses answers larger than `LARGEST`.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

LARGEST = 5 * 1024 * 1024
# A receiver closes idle connections after 5 s at the earliest; leave before it does.
WARM_S = 2.0
MOST_IDLE = 100
NO_BODY = frozenset({204, 304})


class ConnectFailed(Exception):
    """Nobody took the connection, in time or at all; nothing was sent."""


class NoReply(Exception):
    """The request went out, and no whole answer came back."""


@dataclass(frozen=True)
class WireReply:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Line:
    """One open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    idle_since: float = 0.0

    @property
    def is_warm(self) -> bool:
        """Tell whether it can be used again."""
        return time.monotonic() - self.idle_since < WARM_S and not self.reader.at_eof()


class Wire:
    """Sends requests to `host:port` addresses."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Line]] = defaultdict(list)

    async def request(
        self,
        address: str,
        method: str,
        target: str,
        headers: Mapping[str, str],
        content: bytes | None,
        connect_s: float,
        read_s: float,
    ) -> WireReply:
        """Send a request and read the answer; ConnectFailed or NoReply say how far it got."""
        line = await self._line(address, connect_s)
        try:
            line.writer.write(_head(method, target, headers, content) + (content or b""))
            reply = await _read(line.reader, read_s)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise NoReply(str(error) or type(error).__name__) from error
        else:
            self._keep(address, line, reply)
            return reply
        finally:
            if line.idle_since == 0:
                line.writer.close()

    async def close(self) -> None:
        """Hang up idle connections."""
        for lines in self._idle.values():
            for line in lines:
                line.writer.close()
        self._idle.clear()

    async def _line(self, address: str, connect_s: float) -> Line:
        idle = self._idle[address]
        while idle:
            line = idle.pop()
            if line.is_warm:
                line.idle_since = 0
                return line
            line.writer.close()
        host, _, port = address.rpartition(":")
        try:
            async with asyncio.timeout(connect_s):
                return Line(*await asyncio.open_connection(host.strip("[]"), int(port)))
        except (OSError, TimeoutError) as error:
            raise ConnectFailed(str(error) or type(error).__name__) from error

    def _keep(self, address: str, line: Line, reply: WireReply) -> None:
        framed = reply.status in NO_BODY or "content-length" in reply.headers or "transfer-encoding" in reply.headers
        closing = reply.headers.get("connection", "").lower() == "close"
        if framed and not closing and len(self._idle[address]) < MOST_IDLE:
            line.idle_since = time.monotonic()
            self._idle[address].append(line)


def _head(method: str, target: str, headers: Mapping[str, str], content: bytes | None) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    if content is not None:
        lines.append(f"Content-Length: {len(content)}")
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a header cannot hold a line break")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


async def _read(reader: asyncio.StreamReader, read_s: float) -> WireReply:
    async with asyncio.timeout(read_s):
        head = await reader.readuntil(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    version, _, rest_of_line = first.partition(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(f"an answer that is not HTTP/1: {first[:40]!r}")
    status = int(rest_of_line[:3])
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    async with asyncio.timeout(read_s):
        return WireReply(status, headers, await _body(reader, status, headers))


async def _body(reader: asyncio.StreamReader, status: int, headers: Mapping[str, str]) -> bytes:
    if status in NO_BODY:
        return b""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader)
    if "content-length" in headers:
        return await reader.readexactly(_bounded(int(headers["content-length"])))
    body = bytearray()
    with contextlib.suppress(asyncio.IncompleteReadError):
        while piece := await reader.read(65536):
            body += piece
            _bounded(len(body))
    return bytes(body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readline()).split(b";")[0], 16):
        _bounded(len(body) + size)
        body += (await reader.readexactly(size + 2))[:-2]
    while (await reader.readline()).strip():
        continue
    return bytes(body)


def _bounded(size: int) -> int:
    if size > LARGEST:
        raise ValueError(f"an answer of more than {LARGEST} bytes")
    return size
