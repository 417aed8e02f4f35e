"""Every table and every statement of billing. Nothing is decided here, and nothing is ever counted by reading rows."""

from billing.store.tables import metadata

__all__ = ["metadata"]
