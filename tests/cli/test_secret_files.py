"""Secrets are drawn once, readable by their owner alone, and the broker's configuration follows from them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from common import broker_conf, grants, tokens
from switchboard import secret_files


def drawn(folder: Path, carrier: Path | None = None) -> dict[str, str]:
    secret_files.draw(folder, carrier=carrier)
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_second_draw_changes_nothing(tmp_path: Path) -> None:
    first = drawn(tmp_path / "secrets", tmp_path / "carrier")
    assert drawn(tmp_path / "secrets", tmp_path / "carrier") == first


def test_a_missing_or_empty_secret_is_drawn_again_and_no_other(tmp_path: Path) -> None:
    first = drawn(tmp_path)
    (tmp_path / "credentials.key").unlink()
    (tmp_path / "operator.token").write_text("")
    second = drawn(tmp_path)
    assert {name for name in first if first[name] != second[name]} == {"credentials.key", "operator.token"}


def test_only_the_owner_reads_them(tmp_path: Path) -> None:
    drawn(tmp_path / "secrets", tmp_path / "carrier")
    files = [*(tmp_path / "secrets").iterdir(), *(tmp_path / "carrier").iterdir()]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700


def test_every_broker_user_and_every_database_owner_has_a_password(tmp_path: Path) -> None:
    names = set(drawn(tmp_path))
    assert {f"nats-{user}.password" for user in grants.USERS} <= names
    assert {f"db-{service}.password" for service in secret_files.WITH_DATABASE} <= names


def test_the_operators_token_is_well_formed(tmp_path: Path) -> None:
    assert tokens.well_formed(drawn(tmp_path)["operator.token"].strip())


def test_the_carrier_and_the_product_know_one_account(tmp_path: Path) -> None:
    ours = json.loads(drawn(tmp_path / "secrets", tmp_path / "carrier")["twilio.json"])
    assert json.loads((tmp_path / "carrier" / "account.json").read_text()) == ours


def test_an_account_that_is_there_is_the_one_the_carrier_plays(tmp_path: Path) -> None:
    account = {"account_sid": "AC" + "0" * 32, "auth_token": "theirs"}
    secret_files.write(tmp_path / "secrets" / "twilio.json", json.dumps(account))
    drawn(tmp_path / "secrets", tmp_path / "carrier")
    assert json.loads((tmp_path / "carrier" / "account.json").read_text()) == account


def test_the_broker_accepts_its_configuration(tmp_path: Path) -> None:
    drawn(tmp_path)
    conf = secret_files.write_broker_conf(tmp_path, broker_conf.Place(str(tmp_path / "store")))
    server = Path(sys.executable).parent / "nats-server"
    done = subprocess.run([server, "-t", "-c", conf], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
