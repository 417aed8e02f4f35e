"""Starts the carrier: `python -m carrier`. Refuses settings it cannot use, with the reason."""

import sys

import uvicorn
from pydantic import ValidationError

from carrier import logs
from carrier.app import build
from carrier.settings import Settings


def main() -> int:
    """Run until told to stop; returns the process's exit status."""
    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "CARRIER_" + "_".join(str(part) for part in problem["loc"]).upper()
            print(f"carrier: {name.rstrip('_')}: {problem['msg']}", file=sys.stderr)  # noqa: T201 - logs come later
        return 2
    logs.configure()
    uvicorn.run(
        build(settings),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
