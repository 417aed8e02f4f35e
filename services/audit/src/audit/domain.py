"""What audit understands of an event, and what a producer's sequence numbers say is missing. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from common import envelope
from common.errors import Rejected

_PLAIN = re.compile(r"[!-~]{1,64}")
_SEQUENCE = re.compile(r"\d{1,18}")


@dataclass(frozen=True, slots=True)
class Received:
    """An event as it arrived: its bytes, and the few attributes the chain names."""

    organisation: str
    id: str
    type: str
    time: str
    source: str
    sequence: int
    body: bytes


def received(subject: str, body: bytes) -> Received:
    """Read the attributes. `Rejected` when they are missing, or contradict the subject they came on."""
    wire = envelope.parse(body)
    event = Received(
        organisation=_plain(wire, "organisation"),
        id=_plain(wire, "id"),
        type=_plain(wire, "type"),
        time=_time(wire),
        source=_plain(wire, "source"),
        sequence=_sequence(wire),
        body=body,
    )
    if subject != f"comms.{event.organisation}.{event.type}":
        raise Rejected(f"an event that names another subject than {subject}", code="bad_envelope")
    return event


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers `first` to `last` of a producer were not seen, and were first missed at `since`."""

    first: int
    last: int
    since: datetime
    alerted: bool = False


def see(highest: int, gaps: Iterable[Gap], numbers: Iterable[int], now: datetime) -> tuple[int, list[Gap]]:
    """The highest number and the gaps once `numbers` were seen; repeats change nothing."""
    open_gaps = sorted(gaps, key=lambda gap: gap.first)
    for number in sorted(set(numbers)):
        if number > highest:
            if number > highest + 1:
                open_gaps.append(Gap(highest + 1, number - 1, now))
            highest = number
        else:
            open_gaps = [rest for gap in open_gaps for rest in _without(gap, number)]
    return highest, open_gaps


def _without(gap: Gap, number: int) -> list[Gap]:
    if not gap.first <= number <= gap.last:
        return [gap]
    before = [replace(gap, last=number - 1)] if gap.first < number else []
    after = [replace(gap, first=number + 1)] if number < gap.last else []
    return before + after


def _plain(wire: dict[str, object], name: str) -> str:
    value = wire.get(name)
    if not isinstance(value, str) or not _PLAIN.fullmatch(value):
        raise Rejected(f"an event whose {name} is not 1 to 64 plain characters", code="bad_envelope")
    return value


def _time(wire: dict[str, object]) -> str:
    text = _plain(wire, "time")
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise Rejected("an event whose time is not a time", code="bad_envelope") from error
    return text


def _sequence(wire: dict[str, object]) -> int:
    value = wire.get("sequence")
    if not isinstance(value, str) or not _SEQUENCE.fullmatch(value) or int(value) < 1:
        raise Rejected("an event whose sequence is not a whole number from 1 on", code="bad_envelope")
    return int(value)
