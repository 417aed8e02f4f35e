"""Why an act does not fit, and until when."""

from __future__ import annotations

from datetime import UTC, datetime

from billing import caps
from billing.caps import Counter, Need
from common.catalogue.billing import Limits

NOW = datetime(2026, 11, 21, 15, 30, tzinfo=UTC)


def test_what_fits_exactly_fits() -> None:
    in_force = caps.in_force(Limits(money_per_day=100), "agent", NOW)
    assert caps.refusal(in_force, {("agent", "day"): Counter(money_used=60, money_held=30)}, Need(10, 1)) is None
    assert caps.refusal(in_force, {("agent", "day"): Counter(money_used=60, money_held=31)}, Need(10, 1)) is not None


def test_a_refusal_ends_when_the_last_cap_in_its_way_ends() -> None:
    in_force = caps.in_force(Limits(messages_per_day=1, messages_per_month=1), "organisation", NOW)
    full = Counter(messages_used=1)
    refused = caps.refusal(in_force, {("organisation", "day"): full, ("organisation", "month"): full}, Need(5, 1))
    assert refused is not None
    assert refused.retry_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert "the organisation's cap of 1 messages a UTC month is reached" in refused.reason


def test_an_act_that_never_fits_names_no_moment_to_try_again() -> None:
    refused = caps.refusal(caps.in_force(Limits(money_per_day=9), "agent", NOW), {}, Need(10, 0))
    assert refused is not None
    assert refused.retry_at is None
    assert "needs more than the cap" in refused.reason


def test_what_an_act_does_not_need_cannot_refuse_it() -> None:
    in_force = caps.in_force(Limits(messages_per_day=0), "agent", NOW)
    assert caps.refusal(in_force, {}, Need(1_150_000, 0)) is None
    assert caps.refusal(in_force, {}, Need(8_300, 1)) is not None
