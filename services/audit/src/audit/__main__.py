"""`python -m audit`."""

from __future__ import annotations

import gc

from common import service

from audit.app import build
from audit.settings import Settings

if __name__ == "__main__":
    gc.freeze()  # what is loaded by now stays: collecting it over and over stops everything for 80 ms
    service.run("audit", Settings(), build)
