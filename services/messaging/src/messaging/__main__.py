"""Starts messaging: `python -m messaging`."""

from __future__ import annotations

import gc

from common import service

from messaging.app import build
from messaging.settings import Settings

if __name__ == "__main__":
    gc.freeze()  # what is loaded by now stays: collecting it over and over stops everything for 80 ms
    service.run("messaging", Settings(), build)
