"""Errors as HTTP edges say them: problem bodies of RFC 9457. It knows no framework: status, headers and bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import orjson

from common.errors import Conflict, NotFound, Rejected, SwitchboardError, Unavailable, Unknown

CONTENT_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[SwitchboardError], int, str], ...] = (
    (NotFound, 404, "Not found"),
    (Conflict, 409, "Conflict"),
    (Rejected, 422, "Not accepted"),
    (Unavailable, 503, "Not available now"),
    (Unknown, 502, "Outcome unknown"),
)
_REJECTED_AS = {
    "invalid": 400,
    "unauthorised": 401,
    "forbidden": 403,
    "wrong_method": 405,
    "too_large": 413,
    "wrong_type": 415,
    "rate_limited": 429,
}
"""Codes of `Rejected` that HTTP has a status of its own for."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One answer that refuses: what a server needs to send it."""

    status: int
    headers: dict[str, str]
    body: bytes


def problem(status: int, code: str, title: str, detail: str = "", **extra: object) -> bytes:
    """The body; `code` is stable and for machines, `title` never varies for a code, `detail` is for people."""
    return orjson.dumps(
        {"type": "about:blank", "status": status, "code": code, "title": title, "detail": detail or title, **extra}
    )


def of(error: SwitchboardError, **extra: object) -> Problem:
    """What to answer for `error`; `Unavailable` says in `Retry-After` how many seconds to wait."""
    status, title = next(((s, t) for kind, s, t in _STATUS if isinstance(error, kind)), (500, "Failed"))
    if status == 422:
        status = _REJECTED_AS.get(error.code, status)
    headers = {"content-type": CONTENT_TYPE}
    if isinstance(error, Unavailable):
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after)))
    return Problem(status, headers, problem(status, error.code, title, error.detail, **extra))
