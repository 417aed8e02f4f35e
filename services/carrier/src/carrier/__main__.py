"""Starts the carrier: `python -m carrier`. Refuses settings it cannot use, with the reason."""

import sys

import uvicorn
from pydantic import ValidationError

from carrier import logs
from carrier.app import build
from carrier.settings import Settings


def reasons(error: OSError | ValueError) -> list[str]:
    """Say which settings or files cannot be used, and why."""
    if not isinstance(error, ValidationError):
        return [str(error)]
    names = ["CARRIER_" + "_".join(str(part) for part in problem["loc"]).upper() for problem in error.errors()]
    return [f"{name.rstrip('_')}: {problem['msg']}" for name, problem in zip(names, error.errors(), strict=True)]


def main() -> int:
    """Run until told to stop; returns the process's exit status."""
    try:
        settings = Settings()
        app = build(settings)
    except (OSError, ValueError) as error:
        for line in reasons(error):
            print(f"carrier: {line}", file=sys.stderr)  # noqa: T201 - logs come later
        return 2
    logs.configure()
    uvicorn.run(
        app,
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
