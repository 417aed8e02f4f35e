"""Starts billing: `python -m billing`."""

import gc

from common import service

from billing.app import build
from billing.settings import Settings

if __name__ == "__main__":
    gc.freeze()  # what is loaded by now stays: collecting it over and over stops everything for 80 ms
    service.run("billing", Settings(), build)
