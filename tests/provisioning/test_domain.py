"""Decisions without a database."""

from __future__ import annotations

import pytest
from common.errors import Rejected
from hypothesis import given
from hypothesis import strategies as st
from provisioning import domain
from provisioning.providers.port import OwnedNumber
from provisioning.reaper import judge


@given(st.text(max_size=40))
def test_a_marker_leads_back_to_its_saga(saga: str) -> None:
    assert domain.marked_saga(domain.marker(saga)) == saga


def test_a_name_without_our_marker_leads_to_no_saga() -> None:
    assert domain.marked_saga("front desk") == ""


def test_webhooks_fall_back_to_the_second_origin_and_without_one_to_the_first() -> None:
    both = domain.webhooks("https://a.test", "https://b.test", "rt_1")
    assert (both.sms, both.fallback) == ("https://a.test/webhooks/rt_1/sms", "https://b.test/webhooks/rt_1/sms")
    assert domain.webhooks("https://a.test", "", "rt_1").fallback == "https://a.test/webhooks/rt_1/sms"


@pytest.mark.parametrize(("country", "area_code"), [("us", "415"), ("CA", ""), ("DE", "")])
def test_places_are_understood_in_either_case(country: str, area_code: str) -> None:
    assert domain.place(country, area_code) == (country.upper(), area_code)


@pytest.mark.parametrize(
    ("country", "area_code"), [("ÄÖ", ""), ("U1", ""), ("US", "٤١٥"), ("US", "4155"), ("GB", "020")]
)
def test_what_is_no_place_is_refused(country: str, area_code: str) -> None:
    with pytest.raises(Rejected):
        domain.place(country, area_code)


def test_a_third_live_token_names_the_two_there_are() -> None:
    domain.check_rotation("agt_1", ["tok_a"])
    with pytest.raises(Rejected, match="tok_a, tok_b"):
        domain.check_rotation("agt_1", ["tok_a", "tok_b"])


def a_row(number: str, saga: str, provider_id: str = "PN1") -> dict[str, str]:
    return {"number": number, "saga": saga, "provider_id": provider_id, "organisation": "org_a"}


def a_saga(state: str) -> dict[str, str]:
    return {"state": state, "organisation": "org_a", "wish": '{"monthly":{"micros":1150000,"currency":"USD"}}'}


def test_every_number_is_judged_by_whose_it_is() -> None:
    there = [
        OwnedNumber("PN1", "+14155550001", "switchboard:saga_mine"),
        OwnedNumber("PN2", "+14155550002", "switchboard:saga_running"),
        OwnedNumber("PN3", "+14155550003", "switchboard:saga_undone"),
        OwnedNumber("PN4", "+14155550004", "switchboard:saga_completed"),
        OwnedNumber("PN5", "+14155550005", "switchboard:saga_of_nobody"),
        OwnedNumber("PN6", "+14155550006", "front desk"),
    ]
    rows = [a_row("+14155550001", "saga_mine"), a_row("+14155550009", "saga_lost"), a_row("+14155550008", "claim", "")]
    known = {f"saga_{state}": a_saga(state) for state in ("running", "undone", "completed")}
    findings = {one.number[-1]: one for one in judge(there, rows, known, {"+14155550001", "+14155550009"})}
    assert {digit: one.verdict for digit, one in findings.items()} == {
        "1": "ours",
        "2": "ours",
        "3": "late",
        "4": "orphan",
        "5": "orphan",
        "6": "unmarked",
        "9": "missing",
    }
    assert findings["4"].cost == "1.15 USD a month"
