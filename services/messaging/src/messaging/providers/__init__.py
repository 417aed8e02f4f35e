"""Providers of texts: the port, the registry, one file a vendor."""
