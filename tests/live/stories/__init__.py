"""The stories, one matter a module; `tests/live/test_on_*.py` play them all, each in another house."""
