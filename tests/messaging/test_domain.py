"""The decisions of messaging, on their own."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from common.catalogue.messages import OutboundStatus, ProviderStatus
from common.errors import Rejected
from hypothesis import given
from hypothesis import strategies as st
from messaging.domain import delays, destinations, keywords, status
from messaging.domain.matching import Listed, judge

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
STATUSES: tuple[OutboundStatus, ...] = get_args(OutboundStatus)
REPORTS: tuple[ProviderStatus, ...] = get_args(ProviderStatus)


@pytest.mark.parametrize("word", ["STOP", "stopall", "Unsubscribe", "CANCEL", "end", "quit", "OPTOUT", "revoke"])
def test_opt_out_words_count_in_any_case_and_alone(word: str) -> None:
    assert keywords.detect(f"  {word}\r\n") == "stop"
    assert keywords.detect(f"{word} please") is None
    assert keywords.detect(f"do not {word}") is None


@pytest.mark.parametrize(
    ("body", "meaning"), [("Yes", "start"), ("UNSTOP", "start"), ("info", "help"), ("", None), ("stoppen", None)]
)
def test_other_words_mean_what_carriers_say(body: str, meaning: str | None) -> None:
    assert keywords.detect(body) == meaning


def test_the_provider_knows_words_we_do_not() -> None:
    assert keywords.detect("arret", "stop") == "stop"


def settled(reports: tuple[ProviderStatus, ...]) -> OutboundStatus:
    now: OutboundStatus = "sent"
    for report in reports:
        now = status.meaning(report) if status.forward(now, status.meaning(report)) else now
    return now


@given(st.lists(st.sampled_from(("queued", "sending", "sent")), max_size=4), st.sampled_from(REPORTS))
def test_reports_in_any_order_and_number_end_alike(progress: list[ProviderStatus], last: ProviderStatus) -> None:
    ends = {settled(order) for order in itertools.permutations([*progress, last, last])}
    assert ends == {status.meaning(last)}


@given(st.lists(st.sampled_from(STATUSES), max_size=12))
def test_a_status_never_goes_back(wanted: list[OutboundStatus]) -> None:
    rank = {name: n for n, name in enumerate(("accepted", "sending", "unknown", "sent"))}
    now: OutboundStatus = "accepted"
    for to in wanted:
        if status.forward(now, to):
            assert not status.final(now)
            assert rank.get(to, 9) > rank.get(now, 9)
            now = to


@pytest.mark.parametrize(
    ("number", "country"),
    [("+14155550123", "US"), ("+14165550123", "CA"), ("+18765551234", "JM"), ("+447700900123", "GB")],
)
def test_countries_that_share_a_calling_code_are_told_apart(number: str, country: str) -> None:
    assert destinations.country(number) == country


def test_without_a_list_only_the_country_of_the_sender_is_allowed() -> None:
    assert destinations.check("+14155550123", "+14155550100", None) == "US"
    with pytest.raises(Rejected, match="CA"):
        destinations.check("+14165550123", "+14155550100", None)
    with pytest.raises(Rejected, match="US"):
        destinations.check("+14155550123", "+14155550100", frozenset())


@pytest.mark.parametrize("number", [f"{denied.prefix}5551234567"[:14] for denied in destinations.DENIED])
def test_dear_ranges_are_refused_even_where_the_country_is_allowed(number: str) -> None:
    everywhere = frozenset(("US", "GB", "001"))
    with pytest.raises(Rejected) as refused:
        destinations.check(number, "+14155550100", everywhere)
    assert refused.value.code == "destination_denied"


@pytest.mark.parametrize("number", ["+1415", "+99912345678", "12345", "", "+1415555012345678"])
def test_numbers_that_cannot_exist_are_refused(number: str) -> None:
    with pytest.raises(Rejected) as refused:
        destinations.recipient(number)
    assert refused.value.code == "bad_address"


def test_numbers_as_people_write_them_are_understood() -> None:
    assert destinations.recipient("+1 (415) 555-0123").value == "+14155550123"


def a_listed(provider_id: str, seconds: float = 0, body: str = "hi") -> Listed:
    return Listed(provider_id, body, NOW + timedelta(seconds=seconds))


def test_one_text_for_one_attempt_is_that_attempts() -> None:
    assert judge("hi", NOW, [a_listed("A")], set(), 0, 1).provider_id == "A"


@pytest.mark.parametrize(
    "listed",
    [[], [a_listed("other words", body="ho")], [a_listed("too early", -60)], [a_listed("taken")]],
)
def test_nothing_that_could_be_the_attempt_is_absence(listed: list[Listed]) -> None:
    assert judge("hi", NOW, listed, {"taken"}, 0, 1).kind == "absent"


def test_as_many_texts_as_attempts_means_each_was_sent() -> None:
    listed = [a_listed("B", 2), a_listed("A", 1)]
    assert [judge("hi", NOW, listed, set(), place, 2).provider_id for place in (0, 1)] == ["A", "B"]


@pytest.mark.parametrize(("texts", "attempts"), [(1, 2), (2, 1), (3, 2)])
def test_any_other_number_names_nobody(texts: int, attempts: int) -> None:
    listed = [a_listed(str(n), n) for n in range(texts)]
    assert judge("hi", NOW, listed, set(), 0, attempts).kind == "unclear"


def test_pauses_grow_and_asking_for_a_price_ends() -> None:
    assert delays.retry(1, 0) < delays.retry(4, 0) < delays.retry(99, 0) == timedelta(seconds=30)
    assert delays.retry(1, 17) == timedelta(seconds=17)
    polls = [delays.price(n) for n in range(20)]
    assert polls[0] == timedelta(seconds=2)
    assert polls[-1] is None
