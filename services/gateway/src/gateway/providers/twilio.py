"""Twilio's webhooks: the X-Twilio-Signature check, and its parameters in our words.

Source: Twilio's security page and its own validators; SHA-256 with shared keys since 2026. It refuses any algorithm
and any key it was not given a secret for.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from common.catalogue.messages import ProviderStatus, SmsReceived, SmsStatusReported
from common.catalogue.values import Address, Media

from gateway.providers.port import Answer, Webhook
from gateway.refusals import BadField, NotAuthentic

_SIGNATURE = b"x-twilio-signature"
_SETTINGS = b"x-twilio-webhooks-signature-settings"
_ALGORITHMS = {"HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
_PORTS = {"https": 443, "http": 80}

_KEYWORDS: dict[str, Literal["stop", "start", "help"]] = {"STOP": "stop", "START": "start", "HELP": "help"}
_STATUSES: dict[str, ProviderStatus] = {
    "accepted": "queued",
    "scheduled": "queued",
    "queued": "queued",
    "sending": "sending",
    "sent": "sent",
    "partially_delivered": "sent",
    "delivered": "delivered",
    "undelivered": "undelivered",
    "failed": "failed",
    "read": "read",
    "canceled": "canceled",
}
_MOST_MEDIA = 10
_LONGEST = 320


class Twilio:
    """Knows the public origin, with and without its port: senders are inconsistent about it, so both are accepted."""

    name = "twilio"
    taken = Answer(200, "text/xml", b'<?xml version="1.0" encoding="UTF-8"?><Response/>')

    def __init__(self, public_url: str) -> None:
        self._origins = _origins(public_url.rstrip("/"))

    def recognises(self, webhook: Webhook) -> bool:
        """It carries Twilio's signature header, whatever that is worth."""
        return _SIGNATURE in webhook.headers

    def account(self, webhook: Webhook) -> str:
        """The AccountSid parameter."""
        return _needed(webhook.values, "AccountSid")

    def verify(self, webhook: Webhook, account: str, secret: Callable[[str], str]) -> None:
        """HMAC over the public URL and the sorted form, with the account's token or a shared key of the account.

        The secret of a shared key stands under `<account>/<key>`, so that no account's key opens another's door.
        """
        given = webhook.headers.get(_SIGNATURE)
        if not given:
            raise NotAuthentic("missing_signature")
        settings = webhook.headers.get(_SETTINGS)
        algorithm, key_name = _scheme(settings.decode("latin-1")) if settings else ("sha1", "")
        key = secret(f"{account}/{key_name}" if key_name else account).encode()
        if not key:
            raise NotAuthentic("unknown_account")
        fields = _signed_form(webhook)
        for origin in self._origins:
            digest = hmac.digest(key, f"{origin}{webhook.target}{fields}".encode(), algorithm)
            if hmac.compare_digest(base64.b64encode(digest), given):
                return
        raise NotAuthentic("wrong_signature")

    def sender_of_ours(self, webhook: Webhook) -> Address:
        """The From of the text that was sent."""
        return _phone(_needed(webhook.values, "From"))

    def sms(self, webhook: Webhook, organisation: str, route: str) -> SmsReceived:
        """A text, its media, and Twilio's own opinion of an opt-out word."""
        fields = webhook.values
        sid = _needed(fields, "MessageSid")
        return SmsReceived.first(
            organisation,
            key=f"twilio:{sid}",
            route=route,
            account=_needed(fields, "AccountSid"),
            provider=self.name,
            provider_id=sid,
            sender=_phone(_needed(fields, "From")),
            to=_phone(_needed(fields, "To")),
            body=_present(fields, "Body").replace("\x00", "\N{REPLACEMENT CHARACTER}"),  # not every database takes NUL
            segments=max(1, _count(fields, "NumSegments", 1)),
            media=_media(fields),
            keyword=_KEYWORDS.get(fields.get("OptOutType", "")),
        )

    def status(self, webhook: Webhook, organisation: str, route: str, attempt: str) -> SmsStatusReported | None:
        """One report; the same status with the same error is the same report."""
        fields = webhook.values
        sid, spelled = _needed(fields, "MessageSid"), _needed(fields, "MessageStatus")
        status, error = _STATUSES.get(spelled), fields.get("ErrorCode", "")
        if status is None:
            return None
        return SmsStatusReported.first(
            organisation,
            key=f"twilio:{sid}:{attempt}:{spelled}:{error}",
            route=route,
            attempt=attempt,
            account=_needed(fields, "AccountSid"),
            provider=self.name,
            provider_id=sid,
            status=status,
            error_code=error,
        )


@lru_cache(maxsize=4096)
def _phone(text: str) -> Address:
    """People text more than once, and to the same few numbers: an address is checked the first time only."""
    return Address.phone(text)


def _origins(public_url: str) -> tuple[str, ...]:
    """The origin as configured, then with its default port added or its port removed."""
    parts = urlsplit(public_url)
    if parts.port is None:
        other = parts._replace(netloc=f"{parts.netloc}:{_PORTS.get(parts.scheme, 80)}")
    else:
        other = parts._replace(netloc=parts.netloc.rpartition(":")[0])
    return public_url, urlunsplit(other)


def _scheme(settings: str) -> tuple[str, str]:
    """Digest and shared key's name, from `key=…,algorithm=…`; the account's token and SHA-1 when it says nothing."""
    said = dict(part.strip().partition("=")[::2] for part in settings.split(",") if part.strip())
    algorithm = _ALGORITHMS.get(said.get("algorithm", "HMAC_SHA1"))
    if algorithm is None:
        raise NotAuthentic("unknown_algorithm")
    key = said.get("key", "")
    if algorithm == "sha256" and not key:
        raise NotAuthentic("unknown_algorithm")
    return algorithm, key


def _signed_form(webhook: Webhook) -> str:
    """Each form parameter by name, each distinct value once; a GET's are in the URL already."""
    if webhook.method == "GET":
        return ""
    repeats = len(webhook.values) != len(webhook.fields)
    fields = set(webhook.fields) if repeats else webhook.fields
    return "".join([name + value for name, value in sorted(fields)])


def _present(fields: Mapping[str, str], name: str) -> str:
    try:
        return fields[name]
    except KeyError:
        raise BadField(name, "is missing") from None


def _needed(fields: Mapping[str, str], name: str) -> str:
    value = fields.get(name)
    if value and len(value) <= _LONGEST:
        return value
    raise BadField(name, "is too long" if value else "is missing" if value is None else "is empty")


def _count(fields: Mapping[str, str], name: str, default: int) -> int:
    text = fields.get(name)
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise BadField(name, "is not a small whole number")
    return int(text)


def _media(fields: Mapping[str, str]) -> list[Media]:
    count = min(_count(fields, "NumMedia", 0), _MOST_MEDIA)
    return [
        Media(url=_present(fields, f"MediaUrl{n}"), content_type=fields.get(f"MediaContentType{n}", ""))
        for n in range(count)
    ]
