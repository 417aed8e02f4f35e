"""Why a webhook is not taken. The sender learns the code; which check failed goes to metrics and logs alone."""

from __future__ import annotations

from common.errors import Rejected


class Refused(Rejected):
    """A webhook that must not be stored; `reason` comes from a small closed set."""

    def __init__(self, detail: str, *, code: str, reason: str = "") -> None:
        super().__init__(detail, code=code)
        self.reason = reason or code


class NotAuthentic(Refused):
    """Not proved to come from the provider. The answer never says which part failed."""

    def __init__(self, reason: str) -> None:
        super().__init__("this request is not authenticated", code="forbidden", reason=reason)


class BadField(Refused):
    """A parameter we need is absent or not what it should be."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"parameter {field} {problem}", code="invalid", reason="bad_field")
        self.field = field
