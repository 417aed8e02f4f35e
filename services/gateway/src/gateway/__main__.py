"""Starts the gateway: `python -m gateway`."""

import gc

from common import service

from gateway.app import build
from gateway.settings import Settings

if __name__ == "__main__":
    # What is loaded by now stays for good: collecting it over and over cost 30 ms and more at p99.
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    service.run("gateway", Settings(), build)
