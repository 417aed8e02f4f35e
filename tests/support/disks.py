"""A disk as slow as a test says: the time it takes is the very thing that is measured."""

from __future__ import annotations

import time

SLOW = 0.005
"""Seconds that are too many as a rule, and few enough that one wait of them is far from making it."""


def take(seconds: float) -> None:
    """Take that long over a commit."""
    time.sleep(seconds)
