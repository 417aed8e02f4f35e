"""Starts billing: `python -m billing`."""

from common import service

from billing.app import build
from billing.settings import Settings

if __name__ == "__main__":
    service.run("billing", Settings(), build)
