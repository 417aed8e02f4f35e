"""Messaging's tables and every query of them."""

from messaging.store.tables import metadata

__all__ = ["metadata"]
