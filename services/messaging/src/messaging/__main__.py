"""Starts messaging: `python -m messaging`."""

from __future__ import annotations

from common import service

from messaging.app import build
from messaging.settings import Settings

if __name__ == "__main__":
    service.run("messaging", Settings(), build)
