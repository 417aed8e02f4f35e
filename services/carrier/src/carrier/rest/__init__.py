"""The provider's REST API, as its clients know it."""
