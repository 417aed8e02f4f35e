"""Opt-out words, as carriers read them: one word alone, in any case. Anything longer is a sentence for the agent."""

from __future__ import annotations

from typing import Literal

Keyword = Literal["stop", "start", "help"]

_WORDS: dict[str, Keyword] = {
    **dict.fromkeys(("stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "revoke"), "stop"),
    **dict.fromkeys(("start", "yes", "unstop"), "start"),
    **dict.fromkeys(("help", "info"), "help"),
}


def detect(body: str, provider_opinion: Keyword | None = None) -> Keyword | None:
    """What the text asks for. A provider that handles opt-outs has read the text too: its word counts as well."""
    return provider_opinion or _WORDS.get(body.strip().casefold())
