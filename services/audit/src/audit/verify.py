"""`python -m audit.verify`: anyone who can read the database can check the chains; no secret is needed.

Exit code 0 when every chain is whole, 1 when one is damaged, 2 when there is nothing to judge.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import orjson
import sqlalchemy as sa
from common.db import Database, Tx
from common.errors import Unavailable
from sqlalchemy.exc import SQLAlchemyError

from audit import checkpoints
from audit.chain import Finding
from audit.checkpoints import PUBLIC_KEY_FILE, BadCheckpoint, Checkpoint
from audit.inspection import Verdict, inspect

CHECKPOINTS = "(checkpoints)"
"""Stands for the organisation where the checkpoint file itself is damaged."""

Say = Callable[[Verdict], None]


def main(arguments: list[str] | None = None) -> int:
    """The command; gives the exit code."""
    asked = _parser().parse_args(arguments)
    say = _as_json if asked.json else _as_text
    try:
        files = _files(asked.checkpoints)
        key = _public_key(asked.public_key, files)
        _must_exist(asked.database)
        sound = asyncio.run(verify(asked.database, files, key, say))
    except (Unavailable, SQLAlchemyError, OSError, ValueError) as error:
        sys.stderr.write(f"cannot verify: {error}\n")
        return 2
    return 0 if sound else 1


async def verify(url: str, files: list[Path], public_key: bytes, say: Say) -> bool:
    """Judge the database at `url` against the checkpoint files; every verdict is said. True when all is whole."""
    database = Database(url, readers=1)

    def work(tx: Tx) -> bool:
        sound = True
        for verdict in judged(tx, files, public_key):
            say(verdict)
            sound = sound and verdict.finding is None
        return sound

    try:
        return await database.read(work, long=True)
    finally:
        await database.close()


def judged(tx: Tx, files: list[Path], public_key: bytes) -> Iterator[Verdict]:
    """The verdicts; a damaged checkpoint file is one of them, and its sound lines still count."""
    bad: list[Verdict] = []

    def sound_lines() -> Iterator[Checkpoint]:
        for path in files:
            try:
                yield from checkpoints.read(path, public_key)
            except BadCheckpoint as error:
                finding = Finding(CHECKPOINTS, error.line, "bad checkpoint", f"{path.name}: {error}")
                bad.append(Verdict(CHECKPOINTS, 0, finding=finding))

    yield from inspect(tx, sound_lines())
    yield from bad


def _must_exist(url: str) -> None:
    """A missing SQLite file would be created by opening it, and found to be empty."""
    place = sa.make_url(url)
    if place.get_backend_name() == "sqlite" and not Path(place.database or "").is_file():
        raise ValueError(f"no database at {place.database}")


def _files(given: list[Path]) -> list[Path]:
    """Files as given, and every checkpoint file of a folder. Without any, it is said what cannot be seen."""
    found = [file for path in given for file in (sorted(path.glob("*.jsonl")) if path.is_dir() else [path])]
    if missing := [str(path) for path in found if not path.exists()]:
        raise ValueError(f"no checkpoints at {', '.join(missing)}")
    if not found:
        sys.stderr.write("no checkpoints: a cut tail with its head, or a whole rewrite, cannot be seen\n")
    return found


def _public_key(text: str, files: list[Path]) -> bytes:
    if text:
        return bytes.fromhex(text)
    return bytes.fromhex((files[0].parent / PUBLIC_KEY_FILE).read_text().strip()) if files else b""


def _as_text(verdict: Verdict) -> None:
    finding = verdict.finding
    erased = f", {verdict.erased} erased" if verdict.erased else ""
    if finding is None:
        sys.stdout.write(f"ok       {verdict.organisation}: {verdict.entries} entries{erased}\n")
    else:
        sys.stdout.write(f"DAMAGED  {verdict.organisation} at {finding.index}: {finding.damage}; {finding.detail}\n")


def _as_json(verdict: Verdict) -> None:
    sys.stdout.buffer.write(orjson.dumps(asdict(verdict) | {"ok": verdict.finding is None}) + b"\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="audit.verify", description="Check every chain of an audit database.")
    parser.add_argument("--database", required=True, metavar="URL", help="SQLAlchemy URL of the audit database")
    parser.add_argument(
        "--checkpoints", type=Path, nargs="*", default=[], metavar="FILE", help="checkpoint files, or their folder"
    )
    parser.add_argument(
        "--public-key", default="", metavar="HEX", help=f"Ed25519 key of the checkpoints; else {PUBLIC_KEY_FILE}"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


if __name__ == "__main__":
    sys.exit(main())
