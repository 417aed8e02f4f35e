"""Asks a program on loopback whether it is ready, with as little as possible: the supervisor must stay light."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit


async def status(url: str, timeout: float = 3.0) -> int:
    """The HTTP status of `GET url`; 0 when nobody answers."""
    parts = urlsplit(url)
    with contextlib.suppress(OSError, TimeoutError, ValueError, IndexError):
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            try:
                request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
                writer.write(request.encode())
                line = await reader.readline()
                return int(line.split()[1])
            finally:
                writer.close()
    return 0
