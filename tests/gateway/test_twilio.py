"""The adapter alone: signatures against the provider's own library and vectors, and its parameters in our words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from gateway.providers.port import Webhook
from gateway.providers.twilio import Twilio
from gateway.refusals import NotAuthentic
from gateway.requests import parameters
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from tests.gateway.standing import MAIN, OTHER, TOKENS, sms, status

VECTOR = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
SHA1, SHA256 = "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "033hgUJA9M/hXIZsYjwkerEP/DBm35nEri5FhCYjA5s="
SETTINGS = "x-twilio-webhooks-signature-settings"


def webhook(
    target: str, fields: list[tuple[str, str]], signature: str = "", *, method: str = "POST", **headers: str
) -> Webhook:
    named = {"x-twilio-signature": signature} if signature else {}
    raw = {name.replace("_", "-").encode(): value.encode() for name, value in (named | headers).items()}
    return Webhook(method, target, raw, fields, dict(fields))


def the_vector(signature: str, **headers: str) -> Webhook:
    return webhook("/myapp.php?foo=1&bar=2", list(VECTOR.items()), signature, **headers)


def secrets_of(**known: str) -> Callable[[str], str]:
    def secret(name: str) -> str:
        if name not in known:
            raise NotAuthentic("unknown_account")
        return known[name]

    return secret


def accepted(public: str, hook: Webhook, secrets: Mapping[str, str]) -> bool:
    try:
        Twilio(public).verify(hook, "AC1", secrets_of(**secrets))
    except NotAuthentic:
        return False
    return True


def test_the_published_vector_is_accepted() -> None:
    assert accepted("https://mycompany.com", the_vector(SHA1), {"AC1": "12345"})


def test_the_published_vector_is_refused_under_another_token() -> None:
    assert not accepted("https://mycompany.com", the_vector(SHA1), {"AC1": "12346"})


def test_an_empty_secret_is_a_closed_door() -> None:
    import base64  # noqa: PLC0415
    import hashlib  # noqa: PLC0415
    import hmac  # noqa: PLC0415

    signed = "https://mycompany.com/myapp.php?foo=1&bar=2" + "".join(k + v for k, v in sorted(VECTOR.items()))
    forged = base64.b64encode(hmac.digest(b"", signed.encode(), hashlib.sha1)).decode()
    assert not accepted("https://mycompany.com", the_vector(forged), {"AC1": ""})


def test_sha256_is_accepted_with_a_shared_key_of_the_account_only() -> None:
    headers = {SETTINGS.replace("-", "_"): "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"}
    hook = the_vector(SHA256, **headers)
    assert accepted("https://mycompany.com", hook, {"AC1/webhooks_sharedkey_1": "12345"})
    assert not accepted("https://mycompany.com", hook, {"AC1": "12345"})
    assert not accepted("https://mycompany.com", hook, {"AC2/webhooks_sharedkey_1": "12345"})


@pytest.mark.parametrize("settings", ["algorithm=HMAC_SHA256", "algorithm=NONE", "key=k,algorithm=MD5"])
def test_an_algorithm_without_its_key_or_unknown_is_refused(settings: str) -> None:
    headers = {SETTINGS.replace("-", "_"): settings}
    for signature in (SHA1, SHA256):
        hook = the_vector(signature, **headers)
        assert not accepted("https://mycompany.com", hook, {"AC1": "12345", "AC1/k": "12345"})


def test_settings_that_name_nothing_mean_the_token_and_sha1() -> None:
    assert accepted("https://mycompany.com", the_vector(SHA1, **{SETTINGS.replace("-", "_"): ""}), {"AC1": "12345"})


@pytest.mark.parametrize("configured", ["https://h.test", "https://h.test:443", "http://h.test:80", "http://h.test"])
@pytest.mark.parametrize("with_port", [True, False])
def test_the_sender_may_sign_with_or_without_the_default_port(configured: str, with_port: bool) -> None:
    scheme = configured.partition(":")[0]
    signed = f"{scheme}://h.test{':443' if scheme == 'https' else ':80'}" if with_port else f"{scheme}://h.test"
    form = sms()
    signature = RequestValidator("secret").compute_signature(f"{signed}/webhooks/rt/sms", form)
    assert accepted(configured, webhook("/webhooks/rt/sms", list(form.items()), signature), {"AC1": "secret"})


def test_a_port_of_ones_own_is_not_left_out_of_the_door() -> None:
    form = sms()
    signature = RequestValidator("secret").compute_signature("https://h.test:8443/x", form)
    assert accepted("https://h.test:8443", webhook("/x", list(form.items()), signature), {"AC1": "secret"})


class Repeating(dict[str, str]):
    """A form as web frameworks give it to the official library."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__(fields)
        self._fields = fields

    def getlist(self, name: str) -> list[str]:
        return [value for key, value in self._fields if key == name]


FORMS = st.lists(st.tuples(st.text(max_size=8), st.text(max_size=12)), max_size=12)


@given(FORMS)
def test_any_form_the_official_library_signs_is_accepted(fields: list[tuple[str, str]]) -> None:
    signature = RequestValidator("secret").compute_signature("https://h.test/x", Repeating(fields))
    assert accepted("https://h.test", webhook("/x", fields, signature), {"AC1": "secret"})


@given(FORMS)
def test_forms_are_read_as_the_standard_library_reads_them(fields: list[tuple[str, str]]) -> None:
    from urllib.parse import parse_qsl, urlencode  # noqa: PLC0415

    form = urlencode(fields)
    assert parameters(form) == parse_qsl(form, keep_blank_values=True)


@pytest.mark.parametrize("form", ["", "a", "a=", "=b", "&&a=1&", "a=1=2", "a+b=c+d", "a=%2B+%20", "%zz=%4"])
def test_odd_forms_are_read_as_the_standard_library_reads_them(form: str) -> None:
    from urllib.parse import parse_qsl  # noqa: PLC0415

    assert parameters(form) == parse_qsl(form, keep_blank_values=True)


def text(**changed: Any) -> Webhook:
    return webhook("/x", list(sms(**changed).items()))


def test_media_come_with_their_types() -> None:
    hook = text(NumMedia="2", MediaUrl0="https://m/0", MediaContentType0="image/png", MediaUrl1="https://m/1")
    received = Twilio("https://h.test").sms(hook, "org", "rt")
    assert [(one.url, one.content_type) for one in received.media] == [
        ("https://m/0", "image/png"),
        ("https://m/1", ""),
    ]


@pytest.mark.parametrize(("said", "keyword"), [("STOP", "stop"), ("START", "start"), ("HELP", "help"), (None, None)])
def test_the_providers_opinion_of_an_opt_out_word_is_kept(said: str | None, keyword: str | None) -> None:
    assert Twilio("https://h.test").sms(text(OptOutType=said), "org", "rt").keyword == keyword


def test_a_body_may_be_blank_and_never_holds_what_a_database_refuses() -> None:
    twilio = Twilio("https://h.test")
    assert twilio.sms(text(Body=""), "org", "rt").body == ""
    assert "\x00" not in twilio.sms(text(Body="a\x00b"), "org", "rt").body


@pytest.mark.parametrize(
    ("sender", "kind"), [("+14155550199", "e164"), ("28777", "short_code"), ("Bank", "alphanumeric")]
)
def test_senders_of_every_kind_are_told_apart(sender: str, kind: str) -> None:
    assert Twilio("https://h.test").sms(text(From=sender), "org", "rt").sender.kind == kind


def test_the_event_id_depends_on_the_providers_id_alone() -> None:
    twilio = Twilio("https://h.test")
    assert twilio.sms(text(Body="a"), "org", "rt").id == twilio.sms(text(Body="b"), "org", "rt").id


def test_statuses_are_translated() -> None:
    twilio = Twilio("https://h.test")
    said = ["accepted", "queued", "sending", "sent", "delivered", "undelivered", "failed", "read", "canceled"]
    reports = [
        twilio.status(webhook("/x", list(status(MessageStatus=one).items())), "org", "rt", "att") for one in said
    ]
    assert [report.status for report in reports if report] == ["queued", *said[1:]]


def test_the_tokens_of_these_tests_differ() -> None:
    assert TOKENS[MAIN] != TOKENS[OTHER]
