"""Every table and query of provisioning, by noun. Plain functions of a transaction; no decisions."""

from provisioning.store.tables import metadata

__all__ = ["metadata"]
