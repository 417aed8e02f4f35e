"""UTC days and months."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from billing import periods
from hypothesis import given
from hypothesis import strategies as st

moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)


def test_a_day_is_a_utc_day_wherever_the_clock_stands() -> None:
    evening = datetime(2026, 11, 30, 20, 0, tzinfo=timezone(timedelta(hours=-8)))
    assert periods.day(evening).name == "2026-12-01"
    assert periods.month(evening).name == "2026-12"


@given(moments)
def test_a_period_ends_where_the_next_begins(moment: datetime) -> None:
    for of in (periods.day, periods.month):
        assert moment < of(moment).ends_at
        assert of(of(moment).ends_at - timedelta(microseconds=1)) == of(moment)
        assert of(of(moment).ends_at) != of(moment)


@given(moments)
def test_days_sort_between_their_month_and_the_next(moment: datetime) -> None:
    day, month = periods.both(moment)
    assert month.name < day.name < periods.following(month.name)


def test_months_between_are_counted_across_years() -> None:
    assert periods.between("2026-11", "2027-02") == ["2026-11", "2026-12", "2027-01", "2027-02"]
    assert periods.between("2027-01", "2026-12") == []
