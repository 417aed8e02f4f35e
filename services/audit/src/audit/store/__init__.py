"""The tables of audit and every query of it: chains, producers' gaps, alerts."""

from __future__ import annotations

from audit.store.tables import metadata

__all__ = ["metadata"]
