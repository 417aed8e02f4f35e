"""Bad input at the door: each refused with what to change, nothing stored; what is only unfamiliar is taken."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from tests.gateway.standing import (
    MAIN,
    OTHER,
    OTHER_ROUTE,
    PUBLIC,
    ROUTE,
    TOKENS,
    Door,
    Standing,
    a_door,
    sign,
    sms,
    status,
)

SMS = f"/webhooks/{ROUTE}/sms"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    """A gateway without a broker: whatever is taken stays in the spool, where it can be counted."""
    async with a_door(Standing(tmp_path).prepare()) as opened:
        yield opened


def stored(door: Door) -> list[str]:
    """Subjects of what was taken."""
    db = sqlite3.connect(door.standing.spool / "spool-0.db")
    try:
        return [row[0] for row in db.execute("SELECT subject FROM rows ORDER BY seq")]
    finally:
        db.close()


def refused(door: Door, answer: httpx.Response, status: int, code: str) -> bool:
    """A problem of that status and code, and nothing stored."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    return stored(door) == []


async def test_a_forged_signature_is_refused(door: Door) -> None:
    assert refused(door, await door.post(SMS, sms(), token="a guess"), 403, "forbidden")


async def test_a_missing_signature_is_refused(door: Door) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert refused(door, await door.client.post(SMS, content=urlencode(sms()), headers=headers), 403, "forbidden")


async def test_a_signature_over_other_content_is_refused(door: Door) -> None:
    headers = sign(SMS, sms(Body="ten"), TOKENS[MAIN])
    answer = await door.client.post(SMS, content=urlencode(sms(Body="ten thousand")), headers=headers)
    assert refused(door, answer, 403, "forbidden")


async def test_a_signature_over_another_address_is_refused(door: Door) -> None:
    headers = sign(SMS, sms(), TOKENS[MAIN], public="https://elsewhere.test")
    assert refused(door, await door.client.post(SMS, content=urlencode(sms()), headers=headers), 403, "forbidden")


async def test_another_accounts_token_opens_no_door(door: Door) -> None:
    assert refused(door, await door.post(SMS, sms(), token=TOKENS[OTHER]), 403, "forbidden")


async def test_another_account_cannot_claim_our_route_by_naming_itself(door: Door) -> None:
    assert refused(door, await door.post(SMS, sms(AccountSid=OTHER), token=TOKENS[OTHER]), 403, "forbidden")


async def test_our_own_signature_for_another_account_is_as_if_there_were_nothing(door: Door) -> None:
    assert refused(door, await door.text(AccountSid=OTHER), 404, "mismatch")


async def test_an_account_nobody_knows_is_refused(door: Door) -> None:
    answer = await door.post("/webhooks/rt_new/sms", sms(AccountSid="AC" + "9" * 32), token="theirs")
    assert refused(door, answer, 403, "forbidden")


async def test_every_refused_signature_gets_the_same_answer(door: Door) -> None:
    forged = await door.post(SMS, sms(), token="a guess")
    unknown = await door.post("/webhooks/rt_new/sms", sms(AccountSid="AC" + "9" * 32), token="theirs")
    assert forged.content == unknown.content


async def test_the_reason_of_a_refusal_is_counted(door: Door) -> None:
    from gateway.metrics import WEBHOOKS  # noqa: PLC0415

    before = WEBHOOKS.labels("sms", "wrong_signature")._value.get()
    await door.post(SMS, sms(), token="a guess")
    metrics = f"http://127.0.0.1:{door.standing.internal_port}/metrics"
    for _ in range(200):
        text = (await door.client.get(metrics)).text
        if f'switchboard_webhooks_total{{kind="sms",outcome="wrong_signature"}} {before + 1}' in text:
            return
    raise AssertionError("not counted")


async def test_a_text_for_a_number_that_is_not_behind_the_route_is_not_stored(door: Door) -> None:
    assert refused(door, await door.text(To="+14155550142"), 404, "mismatch")


async def test_a_text_for_another_accounts_route_is_not_stored(door: Door) -> None:
    answer = await door.post(f"/webhooks/{OTHER_ROUTE}/sms", sms(AccountSid=OTHER), token=TOKENS[OTHER])
    assert refused(door, answer, 404, "mismatch")


async def test_a_report_from_a_number_that_is_not_behind_the_route_is_not_stored(door: Door) -> None:
    assert refused(door, await door.report(From="+14155550142"), 404, "mismatch")


async def test_a_body_that_announces_too_much_is_refused(door: Door) -> None:
    assert refused(door, await door.text(Body="x" * 70_000), 413, "too_large")


async def test_a_body_that_grows_too_large_without_saying_so_is_refused(door: Door) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 4096

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert refused(door, await door.client.post(SMS, content=body(), headers=headers), 413, "too_large")


@pytest.mark.parametrize("body", [b"Body=\xff\xfe", b"Body=%FF%FE", b"%C3=1"])
async def test_a_body_that_is_not_utf8_is_refused(door: Door, body: bytes) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert refused(door, await door.client.post(SMS, content=body, headers=headers), 400, "invalid")


async def test_too_many_parameters_are_refused(door: Door) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert refused(door, await door.client.post(SMS, content="a=1&" * 1001, headers=headers), 400, "invalid")


@pytest.mark.parametrize("field", ["MessageSid", "From", "To", "Body", "AccountSid"])
async def test_a_text_without_a_field_we_need_names_it(door: Door, field: str) -> None:
    without: dict[str, Any] = {field: None}
    answer = await door.text(**without)
    assert refused(door, answer, 400, "invalid")
    assert field in answer.json()["detail"]


@pytest.mark.parametrize("field", ["MessageSid", "MessageStatus", "From", "AccountSid"])
async def test_a_report_without_a_field_we_need_names_it(door: Door, field: str) -> None:
    without: dict[str, Any] = {field: None}
    answer = await door.report(**without)
    assert refused(door, answer, 400, "invalid")
    assert field in answer.json()["detail"]


@pytest.mark.parametrize("field", ["NumMedia", "NumSegments"])
async def test_a_count_that_is_no_number_names_the_field(door: Door, field: str) -> None:
    wrong: dict[str, Any] = {field: "two"}
    answer = await door.text(**wrong)
    assert refused(door, answer, 400, "invalid")
    assert field in answer.json()["detail"]


async def test_missing_fields_are_told_to_nobody_who_did_not_sign(door: Door) -> None:
    answer = await door.post(SMS, sms(Body=None), token="a guess")
    assert refused(door, answer, 403, "forbidden")


async def test_another_content_type_is_refused(door: Door) -> None:
    headers = sign(SMS, {}, TOKENS[MAIN]) | {"Content-Type": "application/json"}
    assert refused(door, await door.client.post(SMS, content=b"{}", headers=headers), 415, "wrong_type")


async def test_another_method_is_refused(door: Door) -> None:
    assert refused(door, await door.client.put(SMS, content=b""), 405, "wrong_method")


@pytest.mark.parametrize(
    "path", ["/", "/webhooks", "/webhooks/rt_main", "/webhooks/rt_main/voice", "/webhooks/a b/sms"]
)
async def test_a_page_that_does_not_exist_answers_a_problem(door: Door, path: str) -> None:
    assert refused(door, await door.client.get(path), 404, "not_found")


async def test_parameters_nobody_knows_are_taken_and_are_part_of_the_signature(door: Door) -> None:
    form = sms() | {"BrandNew": "1", "Blank": "", "Ünïcode": "≠"}
    assert (await door.post(SMS, form)).status_code == 200
    headers = sign(SMS, sms(2), TOKENS[MAIN])
    answer = await door.client.post(SMS, content=urlencode(sms(2) | {"BrandNew": "1"}), headers=headers)
    assert answer.status_code == 403
    assert len(stored(door)) == 1


async def test_a_replayed_webhook_gets_the_same_answer_and_has_no_effect(door: Door) -> None:
    first, again = await door.text(1), await door.text(1)
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert [(await door.report(1)).status_code for _ in range(3)] == [204, 204, 204]
    assert len(stored(door)) == 2


async def test_reports_that_differ_in_status_or_error_are_each_taken(door: Door) -> None:
    for changed in ({}, {"MessageStatus": "failed"}, {"MessageStatus": "failed", "ErrorCode": "30003"}):
        assert (await door.report(1, **changed)).status_code == 204
    assert len(stored(door)) == 3


async def test_a_status_without_a_meaning_for_us_is_answered_and_not_stored(door: Door) -> None:
    assert (await door.report(MessageStatus="teleported")).status_code == 204
    assert stored(door) == []


async def test_a_report_by_get_is_taken_when_its_url_is_signed(door: Door) -> None:
    target = f"/webhooks/{ROUTE}/status/att_1?{urlencode(status())}"
    headers = {"X-Twilio-Signature": sign(target, {}, TOKENS[MAIN])["X-Twilio-Signature"]}
    assert (await door.client.get(target, headers=headers)).status_code == 204
    assert (await door.client.get(target + "&More=1", headers=headers)).status_code == 403
    assert len(stored(door)) == 1


async def test_a_query_in_the_url_is_part_of_the_signature(door: Door) -> None:
    assert (await door.post(SMS + "?tag=a%20b", sms())).status_code == 200
    answer = await door.client.post(
        SMS + "?tag=other", content=urlencode(sms(2)), headers=sign(SMS + "?tag=a", sms(2), TOKENS[MAIN])
    )
    assert answer.status_code == 403


async def test_a_signed_text_for_a_route_the_directory_does_not_know_is_kept_for_its_owner(door: Door) -> None:
    assert (await door.text(route="rt_brand_new")).status_code == 200
    assert stored(door) == ["comms.unrouted.messages.v1.sms.received"]


async def test_without_credentials_to_check_with_the_door_asks_to_come_back(tmp_path: Path) -> None:
    standing = Standing(tmp_path).prepare()
    (tmp_path / "gateway" / "credentials.json").unlink()
    async with a_door(standing) as door:
        answer = await door.text()
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert (await door.ready()).status_code == 503
        assert stored(door) == []


async def test_a_route_of_a_provider_nobody_can_verify_is_a_closed_door(tmp_path: Path) -> None:
    standing = Standing(tmp_path).prepare()
    path = tmp_path / "gateway" / "directory.json"
    path.write_text(path.read_text().replace('"twilio"', '"carrier-pigeon"'))
    async with a_door(standing) as door:
        assert refused(door, await door.text(), 403, "forbidden")


def test_the_public_origin_of_these_tests_has_no_port() -> None:
    assert PUBLIC.count(":") == 1
