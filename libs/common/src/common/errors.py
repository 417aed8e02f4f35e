"""The one tree of errors that cross a boundary: three meanings, each with what the other side should do.

SwitchboardError
├── Rejected      asking again cannot help
├── Unavailable   later may help
└── Unknown       it was sent and nobody answered: it may have happened
"""

from __future__ import annotations


class SwitchboardError(Exception):
    """Base of everything a service says to another. `code` is stable and for machines; the text is for people."""

    code = "internal"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code


class Rejected(SwitchboardError):
    """The request is wrong or not allowed; the same request will be refused again."""

    code = "rejected"


class NotFound(Rejected):
    """There is no such thing for this caller. Another tenant's thing looks exactly like none."""

    code = "not_found"


class Conflict(Rejected):
    """The request contradicts one already accepted, such as the same key with other arguments."""

    code = "conflict"


class Unavailable(SwitchboardError):
    """Nothing happened; the same request may succeed after `retry_after` seconds."""

    code = "unavailable"

    def __init__(self, detail: str, *, code: str | None = None, retry_after: float = 1.0) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class Unknown(SwitchboardError):
    """The request left and no answer came: it may have happened. Look before acting again."""

    code = "unknown"


_BY_KIND: dict[str, type[SwitchboardError]] = {
    "rejected": Rejected,
    "not_found": NotFound,
    "conflict": Conflict,
    "unavailable": Unavailable,
    "unknown": Unknown,
}


def to_wire(error: SwitchboardError) -> dict[str, object]:
    """The error as it travels in a reply."""
    kind = next((name for name, cls in reversed(_BY_KIND.items()) if isinstance(error, cls)), "unavailable")
    wire: dict[str, object] = {"kind": kind, "code": error.code, "detail": error.detail}
    if isinstance(error, Unavailable):
        wire["retry_after"] = error.retry_after
    return wire


def from_wire(wire: dict[str, object]) -> SwitchboardError:
    """The error a reply carried; an unknown kind is taken as `Unavailable`, which promises the least."""
    cls = _BY_KIND.get(str(wire.get("kind")), Unavailable)
    error = cls(str(wire.get("detail", "")), code=str(wire.get("code", cls.code)))
    if isinstance(error, Unavailable):
        error.retry_after = float(str(wire.get("retry_after", 1.0)))
    return error
