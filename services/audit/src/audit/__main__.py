"""`python -m audit`."""

from __future__ import annotations

from common import service

from audit.app import build
from audit.settings import Settings

if __name__ == "__main__":
    service.run("audit", Settings(), build)
