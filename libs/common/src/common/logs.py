"""Structured logs: one JSON line per message or request, fixed event names, data in keys.

Never a body, code, token or whole phone number: long digit runs and tokens are cut here, whatever a caller passes.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import re
import sys
from collections.abc import Iterable, MutableMapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog

_DIGITS = re.compile(r"\+?\d{7,15}(?!\d)")
_TOKEN = re.compile(r"\bsbd_[a-z]+_[A-Za-z0-9]+")
_SHORTEST_SECRET = 7
_PLAIN = ("trace", "subject_id")
_SOON = 0.1


def configure(service: str, *, level: str = "info", instance: str = "0") -> None:
    """Set up logging for this process, the standard library's included."""
    threshold = getattr(logging, level.upper())
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            _rendered,
        ],
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars()
    _Static.fields = {"service": service, "instance": instance}
    _Static.info = threshold <= logging.INFO
    logging.basicConfig(handlers=[_Bridge()], level=max(threshold, logging.WARNING), force=True)


class _Static:
    fields: dict[str, str] = {}  # noqa: RUF012 - one process, one service
    info = False


def went_well(event: str, **fields: Any) -> None:
    """A line of what went as it should, which every message and request has: written with others, a moment later.

    It bears what is bound to the context. It is not masked: put nothing from outside in it.
    """
    if _Static.info:
        _later.add({"event": event, **fields})


class _Later:
    """Lines that wait to be written together."""

    def __init__(self) -> None:
        self._lines: list[dict[str, Any]] = []

    def add(self, line: dict[str, Any]) -> None:
        line |= structlog.contextvars.get_contextvars()
        line["level"], line["timestamp"] = "info", datetime.now(UTC)
        if not self._lines:
            asyncio.get_running_loop().call_later(_SOON, self.flush)
        self._lines.append(line)

    def flush(self) -> None:
        lines, self._lines = self._lines, []
        sys.stderr.buffer.write(b"".join([orjson.dumps(line | _Static.fields, str, _FORM) for line in lines]))
        sys.stderr.buffer.flush()


_FORM = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE
_later = _Later()
atexit.register(_later.flush)


def write_lines(event: str, members: Iterable[str]) -> None:
    """Many lines of one event in one write, for what comes by the thousand.

    Each is the inside of a JSON object, `"ms":1.5,"status":200`. It is not masked: put nothing from outside in it.
    """
    if not _Static.info:
        return
    head = orjson.dumps({"event": event, "level": "info", **_Static.fields}).decode()[:-1]
    sys.stderr.buffer.write("".join([f"{head},{one}}}\n" for one in members]).encode())
    sys.stderr.buffer.flush()


def _rendered(_logger: object, method: str, line: MutableMapping[str, Any]) -> bytes:
    """The line as it is written. One step for all of it: every request and event of every service pays for it."""
    for key, value in line.items():
        if isinstance(value, str) and len(value) >= _SHORTEST_SECRET and key not in _PLAIN:
            line[key] = mask(value)
    line["level"] = "error" if method == "exception" else "warning" if method == "warn" else method
    line["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    line.update(_Static.fields)
    return orjson.dumps(line, default=str)


def mask(text: str) -> str:
    """The text without whole phone numbers or tokens."""
    return _DIGITS.sub(lambda found: "…" + found.group()[-2:], _TOKEN.sub("sbd_…", text))


class _Bridge(logging.Handler):
    """Lines of libraries, in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno, "library", logger=record.name, text=record.getMessage(), exc_info=record.exc_info
        )
