"""What audit accepts as an event, and what missing numbers tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from audit import domain
from audit.domain import Gap
from common.errors import Rejected
from hypothesis import given
from hypothesis import strategies as st

from tests.audit.building import an_event

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_bytes_are_kept_as_received() -> None:
    event = an_event(1)
    padded = b" " + event.body
    assert domain.received(f"comms.org_a.{event.type}", padded).body == padded


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": "x" * 65},
        {"id": "a\x00b"},
        {"organisation": 7},
        {"time": "yesterday"},
        {"sequence": "0"},
        {"sequence": 5},
        {"sequence": "9" * 19},
        {"source": None},
        {"specversion": "2.0"},
        {"organisation": "org_b"},
    ],
)
def test_what_is_no_event_is_rejected(change: dict[str, Any]) -> None:
    event = an_event(1)
    with pytest.raises(Rejected):
        domain.received(f"comms.org_a.{event.type}", orjson.dumps(orjson.loads(event.body) | change))


def test_a_number_that_was_jumped_over_is_a_gap_until_it_comes() -> None:
    highest, gaps = domain.see(0, [], [1, 2, 5], NOW)
    assert (highest, gaps) == (5, [Gap(3, 4, NOW)])
    assert domain.see(highest, gaps, [4, 3], NOW) == (5, [])


def test_a_gap_that_is_split_stays_as_old_as_it_was_and_alerts_once() -> None:
    gap = Gap(3, 7, NOW, alerted=True)
    assert domain.see(9, [gap], [5], datetime(2026, 2, 1, tzinfo=UTC)) == (
        9,
        [Gap(3, 4, NOW, alerted=True), Gap(6, 7, NOW, alerted=True)],
    )


@given(st.lists(st.sets(st.integers(1, 60), min_size=1), max_size=8))
def test_gaps_are_exactly_the_numbers_below_the_highest_that_were_not_seen(batches: list[set[int]]) -> None:
    highest, gaps = 0, list[Gap]()
    for batch in batches:
        highest, gaps = domain.see(highest, gaps, batch, NOW)
    seen = set[int]().union(*batches)
    assert highest == max(seen, default=0)
    missing = {n for gap in gaps for n in range(gap.first, gap.last + 1)}
    assert missing == set(range(1, highest + 1)) - seen
