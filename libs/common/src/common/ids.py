"""Identifiers: derived where something outside repeats, random otherwise."""

from __future__ import annotations

import hashlib
import secrets


def derived(*parts: str) -> str:
    """32 hex digits, the same for the same parts; each part counts whole: `("a", "bc")` is not `("ab", "c")`."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return digest.hexdigest()[:32]


def random(prefix: str) -> str:
    """A fresh id such as `agt_3f…`: the prefix tells people what it names, 96 random bits tell it apart."""
    return f"{prefix}_{secrets.token_hex(12)}"


def trace_parent(trace: str = "") -> str:
    """The W3C `traceparent` that begins a trace: the one given, in 32 hex digits, or a fresh one."""
    trace = trace or secrets.token_hex(16)
    return f"00-{trace}-{trace[:16]}-01"
