"""Errors as problem bodies."""

from __future__ import annotations

import orjson
import pytest
from common import problems
from common.errors import Conflict, NotFound, Rejected, SwitchboardError, Unavailable, Unknown


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Rejected("no"), 422),
        (Rejected("no", code="invalid"), 400),
        (NotFound("none"), 404),
        (Conflict("other"), 409),
        (Unavailable("later"), 503),
        (Unknown("perhaps"), 502),
        (SwitchboardError("broken"), 500),
    ],
)
def test_each_error_has_its_status_and_says_its_code(error: SwitchboardError, status: int) -> None:
    answer = problems.of(error)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert orjson.loads(answer.body) | {"status": status, "code": error.code, "detail": error.detail} == orjson.loads(
        answer.body
    )


def test_unavailable_says_in_whole_seconds_when_to_come_back() -> None:
    assert problems.of(Unavailable("later", retry_after=1.2)).headers["retry-after"] == "2"


def test_extra_members_travel_in_the_body() -> None:
    assert orjson.loads(problems.of(Rejected("no"), field="Body").body)["field"] == "Body"
