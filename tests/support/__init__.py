"""Real servers and small builders for the tests."""
