"""`switchboard demo`: tells the story against the running stack, or against one of its own that is gone afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from switchboard import output


def demo(
    run: Annotated[Path | None, typer.Option(help="The run.json of the stack to play against.")] = None,
    verify: Annotated[str, typer.Option(help="Command that verifies that stack's audit.")] = "",
) -> None:
    """Play the story of one text, with real output, against the running stack or one of its own."""
    import asyncio  # noqa: PLC0415
    import json  # noqa: PLC0415

    from switchboard.demo.cast import NotAsTold  # noqa: PLC0415
    from switchboard.local import runfile  # noqa: PLC0415
    from switchboard.settings import Settings  # noqa: PLC0415

    data = Settings().data.absolute()
    found = json.loads(run.read_text()) if run else runfile.read(data)
    with contextlib.nullcontext(found) if found else _own_stack() as place:
        try:
            asyncio.run(_tell(place, verify))
        except (NotAsTold, BaseExceptionGroup) as error:
            found = _within(error, NotAsTold)
            if found is None:
                raise
            raise output.fail(f"this did not go as told: {found}") from None


def _within(error: BaseException, kind: type[Exception]) -> BaseException | None:
    """The error itself, or the first of that kind in a group: the clients work in groups of tasks."""
    if isinstance(error, kind):
        return error
    nested = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return next((found for one in nested if (found := _within(one, kind))), None)


async def _tell(place: dict[str, Any], verify: str) -> None:
    from rich.console import Console  # noqa: PLC0415

    from switchboard.demo.cast import Carrier  # noqa: PLC0415
    from switchboard.demo.story import Stage, tell  # noqa: PLC0415

    if not place["carrier"]:
        raise output.fail("the story needs the local carrier, which this stack runs without", code=2)
    async with Carrier.at(place["carrier"], _content(place["carrier_token_file"])) as carrier:
        await tell(
            Stage(
                console=Console(),
                rest_url=place["mcp_edge"][0],
                mcp_url=place["mcp"],
                operator_token=_content(place["operator_token_file"]),
                carrier=carrier,
                verify_audit=lambda: _verified(place, verify),
            )
        )


def _content(path: str) -> str:
    return Path(path).read_text().strip()


def _verified(place: dict[str, Any], command: str) -> tuple[bool, str]:
    import os  # noqa: PLC0415
    import shlex  # noqa: PLC0415
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    asked = shlex.split(command) or [sys.executable, "-m", "switchboard", "audit", "verify"]
    env = os.environ if command else {**os.environ, "SWITCHBOARD_DATA": place["data"]}
    done = subprocess.run(asked, env=env, capture_output=True, text=True, check=False)  # noqa: S603 - ours, or as given
    return done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def _own_stack() -> Iterator[dict[str, Any]]:
    import os  # noqa: PLC0415
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415
    import tempfile  # noqa: PLC0415
    import time  # noqa: PLC0415

    from switchboard.local import ports, runfile  # noqa: PLC0415

    typer.echo("Nothing runs here; starting a stack for this story alone")
    with tempfile.TemporaryDirectory(prefix="switchboard-demo-") as folder:
        own = {"SWITCHBOARD_DATA": folder, "SWITCHBOARD_PORT_BASE": str(ports.free_base())}
        process = subprocess.Popen(
            [sys.executable, "-m", "switchboard", "up"], env={**os.environ, **own}, stdout=subprocess.DEVNULL
        )
        try:
            while (place := runfile.read(Path(folder))) is None:
                if process.poll() is not None:
                    raise output.fail("the stack for the story did not start")
                time.sleep(0.05)
            yield place
        finally:
            process.terminate()
            process.wait()
