"""Signed heads in an append-only file outside the database: what a rewritten, cut or restored database cannot match.

Each line names the line before it by its hash, so lines cannot be taken out either.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.chain import Head

PUBLIC_KEY_FILE = "checkpoint.pub"

_START = "0" * 64


class BadCheckpoint(Exception):
    """A line that was not written by the holder of the key, or not at this place."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line} {reason}")
        self.line = line


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One line: the heads that changed since the line before."""

    n: int
    at: datetime
    heads: dict[str, Head]


class Notary:
    """Writes one file. Continues where the file ends; a line torn by a crash is cut off first."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = Ed25519PrivateKey.from_private_bytes(key)
        self._n, self._previous = 0, _START
        self.heads: dict[str, Head] = {}

    def open(self) -> None:
        """Read what was written before. `BadCheckpoint` when it is not ours: look before going on."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        public = self._key.public_key().public_bytes_raw()
        (self._path.parent / PUBLIC_KEY_FILE).write_text(public.hex() + "\n")
        if not self._path.exists():
            return
        _cut_torn_line(self._path)
        for line in read(self._path, public):
            self._n = line.n
            self.heads.update(line.heads)
        self._previous = _last_hash(self._path)

    def write(self, at: datetime, heads: dict[str, Head]) -> bool:
        """Add a line with the heads that differ from what was written; False when none does. Durable on return."""
        changed = {name: head for name, head in heads.items() if self.heads.get(name) != head}
        if not changed:
            return False
        content = {
            "version": 1,
            "n": self._n + 1,
            "at": at.isoformat(),
            "previous": self._previous,
            "heads": {name: [head.n, head.hash.hex()] for name, head in sorted(changed.items())},
        }
        line = orjson.dumps(content | {"signature": self._key.sign(_signed(content)).hex()})
        _append(self._path, line + b"\n")
        self._n, self._previous = self._n + 1, hashlib.sha256(line).hexdigest()
        self.heads.update(changed)
        return True


def read(path: Path, public_key: bytes) -> Iterator[Checkpoint]:
    """The lines of a file, one at a time, each checked. `BadCheckpoint` says which line is wrong and why."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    previous = _START
    with path.open("rb") as file:
        for n, raw in enumerate(file, 1):
            if not raw.endswith(b"\n"):
                return  # torn by a crash: it was never a checkpoint
            line = raw[:-1]
            yield _checked(n, line, previous, key)
            previous = hashlib.sha256(line).hexdigest()


def _checked(n: int, line: bytes, previous: str, key: Ed25519PublicKey) -> Checkpoint:
    try:
        content: dict[str, Any] = orjson.loads(line)
        key.verify(bytes.fromhex(content.pop("signature")), _signed(content))
        heads = {name: Head(int(head[0]), bytes.fromhex(head[1])) for name, head in content["heads"].items()}
        checkpoint = Checkpoint(int(content["n"]), datetime.fromisoformat(content["at"]), heads)
    except (InvalidSignature, orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadCheckpoint(n, "is not signed by the key given") from error
    if content["n"] != n or content["previous"] != previous:
        raise BadCheckpoint(n, "does not follow the line before: lines were taken out, added or moved")
    return checkpoint


def _signed(content: dict[str, Any]) -> bytes:
    return b"switchboard audit checkpoint\n" + orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def _append(path: Path, raw: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, raw)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _cut_torn_line(path: Path) -> None:
    raw = path.read_bytes()
    whole = raw.rfind(b"\n") + 1
    if whole != len(raw):
        os.truncate(path, whole)


def _last_hash(path: Path) -> str:
    last = None
    with path.open("rb") as file:
        for raw in file:
            last = raw[:-1]
    return hashlib.sha256(last).hexdigest() if last is not None else _START
