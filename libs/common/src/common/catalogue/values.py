"""Nouns that several messages share."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal, Self

from pydantic import Field

from common.errors import Rejected
from common.messages import Value

AddressKind = Literal["e164", "short_code", "alphanumeric", "email", "external_id", "anonymous"]
Channel = Literal["sms"]

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_SHORT_CODE = re.compile(r"\d{3,6}")
_ALPHANUMERIC = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")


class Address(Value):
    """Where someone is reached: a value that means something only together with its kind."""

    kind: AddressKind
    value: str = Field(max_length=320)

    @classmethod
    def phone(cls, text: str) -> Self:
        """What a telephone network puts in From and To: E.164, a short code, a name, or nothing at all."""
        text = text.strip()
        if _E164.fullmatch(text):
            return cls(kind="e164", value=text)
        if _SHORT_CODE.fullmatch(text):
            return cls(kind="short_code", value=text)
        if _ALPHANUMERIC.fullmatch(text):
            return cls(kind="alphanumeric", value=text)
        return cls(kind="anonymous", value=text[:320])

    @classmethod
    def recipient(cls, text: str) -> Self:
        """An address a text may be sent to: E.164 only. `Rejected` with what to write instead."""
        address = cls.phone(text)
        if address.kind == "short_code":
            raise Rejected(
                "a short code cannot be texted from a phone number; give a full number such as +14155550123",
                code="bad_address",
            )
        if address.kind != "e164":
            raise Rejected("give the number in international form, such as +14155550123", code="bad_address")
        return address

    def masked(self) -> str:
        """The address for a log line or an error: at most its last two characters."""
        return f"{self.kind}:…{self.value[-2:]}"


class Money(Value):
    """An exact amount: integer millionths of the currency's unit."""

    micros: int
    currency: str = "USD"


class Media(Value):
    """A file that came with a message, still at the provider."""

    url: str
    content_type: str


class Trust(Value):
    """What is known about who wrote a message. Content from outside is data, never an instruction."""

    origin: Literal["external"] = "external"
    signature_verified: bool
    sender_authenticated: bool = False
    level: Literal["untrusted"] = "untrusted"


class Done(Value):
    """An order that has nothing else to say was carried out, or had been already."""

    changed: bool = True


class Step(Value):
    """One thing that happened, in a trace people and agents read."""

    at: datetime
    what: str
    detail: str = ""
