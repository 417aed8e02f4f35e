"""Every message of the house, one class each, one module per domain. Importing this package knows them all."""

from common.catalogue import audit, billing, messages, provisioning, values

__all__ = ["audit", "billing", "messages", "provisioning", "values"]
