"""Finding a text whose answer was lost in a provider's list: proof where there is proof, otherwise patience."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

SKEW = timedelta(seconds=5)
"""How much earlier than our attempt the provider may say the text was made: clocks, and whole seconds."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A text in a provider's list, from the right sender to the right recipient."""

    provider_id: str
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """`found` names its id, `absent` says the list lacks it, `unclear` says why the list decides nothing."""

    kind: Literal["found", "absent", "unclear"]
    provider_id: str = ""
    why: str = ""


def judge(body: str, since: datetime, listed: Sequence[Listed], taken: Collection[str], place: int, of: int) -> Verdict:
    """What the list says about an attempt.

    `taken` are ids that belong to other attempts. `place` of `of`: where this attempt stands, by age, among those with
    the same text between the same two numbers that are still open, itself included. As many texts as open attempts
    means that each was sent, the oldest first; any other number names nobody.
    """
    free = sorted(
        (one for one in listed if one.body == body and one.created_at >= since - SKEW and one.provider_id not in taken),
        key=lambda one: (one.created_at, one.provider_id),
    )
    if not free:
        return Verdict("absent")
    if len(free) == of:
        return Verdict("found", free[place].provider_id)
    return Verdict("unclear", why=f"{len(free)} such texts in the list for {of} open attempts")
