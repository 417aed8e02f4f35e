"""Checkpoints outside the database, and the command that judges both."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from audit import checkpoints, verify
from audit.chain import Head
from audit.checkpoints import BadCheckpoint, Notary
from audit.store import chains
from audit.store.tables import entries
from common.db import Database

from tests.audit.building import events

KEY = b"k" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_notary(folder: Path) -> Notary:
    notary = Notary(folder / "checkpoints-0.jsonl", KEY)
    notary.open()
    return notary


def public(folder: Path) -> bytes:
    return bytes.fromhex((folder / "checkpoint.pub").read_text())


def lines(folder: Path) -> list[checkpoints.Checkpoint]:
    return list(checkpoints.read(folder / "checkpoints-0.jsonl", public(folder)))


def three_lines(folder: Path) -> Path:
    notary = a_notary(folder)
    for n in (1, 2, 3):
        notary.write(NOW, {"org_a": Head(n, bytes([n]) * 32)})
    return folder / "checkpoints-0.jsonl"


def test_only_heads_that_moved_are_written(tmp_path: Path) -> None:
    notary = a_notary(tmp_path)
    assert notary.write(NOW, {"a": Head(1, b"1" * 32), "b": Head(1, b"2" * 32)})
    assert not notary.write(NOW, {"a": Head(1, b"1" * 32), "b": Head(1, b"2" * 32)})
    assert notary.write(NOW, {"a": Head(1, b"1" * 32), "b": Head(2, b"3" * 32)})
    assert [list(line.heads) for line in lines(tmp_path)] == [["a", "b"], ["b"]]


def test_a_new_run_continues_the_file_and_cuts_a_torn_line(tmp_path: Path) -> None:
    path = three_lines(tmp_path)
    with path.open("ab") as file:
        file.write(b'{"version":1,"n":4,')
    assert len(lines(tmp_path)) == 3
    notary = a_notary(tmp_path)
    assert notary.heads == {"org_a": Head(3, b"\3" * 32)}
    notary.write(NOW, {"org_a": Head(4, b"\4" * 32)})
    assert [line.n for line in lines(tmp_path)] == [1, 2, 3, 4]


@pytest.mark.parametrize("missing", [0, 1])
def test_a_line_taken_out_is_noticed(tmp_path: Path, missing: int) -> None:
    path = three_lines(tmp_path)
    raw = path.read_bytes().splitlines(keepends=True)
    del raw[missing]
    path.write_bytes(b"".join(raw))
    with pytest.raises(BadCheckpoint, match=f"line {missing + 1}"):
        lines(tmp_path)


def test_a_line_changed_or_signed_by_another_key_is_noticed(tmp_path: Path) -> None:
    path = three_lines(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"org_a":[2', b'"org_a":[9'))
    with pytest.raises(BadCheckpoint, match="line 2"):
        lines(tmp_path)
    stranger = Notary(tmp_path / "other" / "checkpoints-0.jsonl", b"x" * 32)
    stranger.open()
    stranger.write(NOW, {"org_a": Head(1, b"1" * 32)})
    with pytest.raises(BadCheckpoint, match="line 1"):
        list(checkpoints.read(tmp_path / "other" / "checkpoints-0.jsonl", public(tmp_path)))


def a_chain(url: str, folder: Path) -> None:
    async def build() -> None:
        database = Database(url)
        await database.write(lambda tx: chains.append(tx, events(range(1, 21))))
        a_notary(folder).write(NOW, await database.read(chains.all_heads))
        await database.close()

    asyncio.run(build())


def test_the_command_says_ok_and_leaves_with_0(
    database_url: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    a_chain(database_url, tmp_path)
    assert verify.main(["--database", database_url, "--checkpoints", str(tmp_path)]) == 0
    assert capsysbinary.readouterr().out == b"ok       org_a: 20 entries\n"


def test_the_command_names_the_place_and_the_kind_of_damage_and_leaves_with_1(
    database_url: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    a_chain(database_url, tmp_path)
    database = Database(database_url)
    with database.engine.begin() as connection:
        connection.execute(sa.update(entries).where(entries.c.n == 7).values(type="else"))
    database.engine.dispose()
    assert verify.main(["--database", database_url, "--checkpoints", str(tmp_path), "--json"]) == 1
    told = json.loads(capsysbinary.readouterr().out)
    assert (told["organisation"], told["ok"]) == ("org_a", False)
    assert (told["finding"]["index"], told["finding"]["damage"]) == (7, "edited entry")


def test_the_command_leaves_with_1_for_a_damaged_checkpoint_file(database_url: str, tmp_path: Path) -> None:
    a_chain(database_url, tmp_path)
    path = tmp_path / "checkpoints-0.jsonl"
    path.write_bytes(path.read_bytes().replace(b"[20", b"[19"))
    assert verify.main(["--database", database_url, "--checkpoints", str(path)]) == 1


@pytest.mark.parametrize("arguments", [["--database", "sqlite:///nowhere/at/all.db"], ["--database", "?"]])
def test_the_command_leaves_with_2_when_there_is_nothing_to_judge(arguments: list[str]) -> None:
    assert verify.main(arguments) == 2


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert verify.main(["--database", f"sqlite:///{tmp_path / 'audit.db'}"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_checkpoints_yet_is_said_and_no_error(
    database_url: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    a_chain(database_url, tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert verify.main(["--database", database_url, "--checkpoints", str(empty)]) == 0
    assert b"cannot be seen" in capsysbinary.readouterr().err


def test_checkpoints_that_do_not_exist_are_an_error(database_url: str, tmp_path: Path) -> None:
    a_chain(database_url, tmp_path)
    assert verify.main(["--database", database_url, "--checkpoints", str(tmp_path / "none.jsonl")]) == 2
