"""Rate limits as functions of a clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from billing import rates
from billing.rates import Rate
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 11, 21, tzinfo=UTC)
AGES_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def admitted(rate: Rate, moments: list[datetime]) -> list[datetime]:
    tat, taken = AGES_AGO, []
    for now in moments:
        if rates.free_at(rate, tat) <= now:
            tat = rates.advanced(rate, tat, now)
            taken.append(now)
    return taken


def test_an_idle_sender_may_send_its_burst_at_once_and_no_more() -> None:
    rate = Rate.of(60, timedelta(seconds=10))
    assert len(admitted(rate, [START] * 50)) == 10


def test_a_sender_without_burst_may_still_send_one() -> None:
    assert len(admitted(Rate.of(1, timedelta(0)), [START] * 5)) == 1


def test_the_moment_it_names_is_the_first_that_is_admitted() -> None:
    rate = Rate.of(7, timedelta(seconds=20))
    tat = AGES_AGO
    for _ in range(2):
        tat = rates.advanced(rate, tat, START)
    free = rates.free_at(rate, tat)
    assert free > START
    moment = timedelta(microseconds=1)
    assert rates.free_at(rate, rates.advanced(rate, tat, free)) > free
    assert not rates.free_at(rate, tat) <= free - moment


@given(
    st.integers(min_value=1, max_value=600),
    st.floats(min_value=0, max_value=60),
    st.lists(st.floats(min_value=0, max_value=120), max_size=300),
)
def test_no_stretch_of_time_admits_more_than_rate_and_burst(
    per_minute: int, burst: float, offsets: list[float]
) -> None:
    rate = Rate.of(per_minute, timedelta(seconds=burst))
    taken = admitted(rate, sorted(START + timedelta(seconds=offset) for offset in offsets))
    for first, begin in enumerate(taken):
        for count, end in enumerate(taken[first:], 1):
            assert (count - 1) * rate.interval <= (end - begin) + rate.tolerance
