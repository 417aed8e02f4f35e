"""What a benchmark says: a figure, the floor it was measured beside, and whether the ratio is good enough."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """One line of the table. Absolute figures are this machine's; read the ratio."""

    name: str
    unit: str = ""
    rate: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    floor: float | None = None
    ratio: float | None = None
    goal: str = ""
    passed: bool | None = None
    note: str = ""
    """What the name leaves out; printed below the table."""


def at_least(ratio: float, goal: float) -> tuple[str, bool]:
    """Goal text and verdict for a ratio that should be high."""
    return f"≥ {goal:g}", ratio >= goal


def at_most(value: float, goal: float, unit: str = "") -> tuple[str, bool]:
    """Goal text and verdict for a value that should be low."""
    return f"≤ {goal:g}{unit}", value <= goal


def percentile(values: list[float], share: float) -> float:
    """The value below which `share` (0..1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
