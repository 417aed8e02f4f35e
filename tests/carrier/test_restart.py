"""What survives: a killed carrier keeps its ledger and takes up what it left; secrets are private; reset forgets."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from tests.carrier.hooks import HOST, Hooks, Reply
from tests.carrier.running import free_port, running_carrier


def test_a_killed_carrier_keeps_everything_and_finishes_its_texts(tmp_path: Path, hooks: Hooks, path: str) -> None:
    with running_carrier(tmp_path, hosts=f"{HOST}=127.0.0.1:{hooks.port}", status_step_ms="60000") as carrier:
        client = carrier.client()
        sub = client.api.accounts.create(friendly_name="kept")
        number = client.incoming_phone_numbers.create(area_code="415", sms_url=hooks.url(path))
        sent = client.messages.create(to="+12025550170", from_=number.phone_number, body="on its way")
        before, token = carrier.ledger(), carrier.auth_token
        carrier.kill()
        carrier.env["CARRIER_STATUS_STEP_MS"] = "10"
        carrier.start()
        assert carrier.auth_token == token
        assert carrier.ledger()[: len(before)] == before
        assert carrier.received("+12025550170")[0]["text_sid"] == sent.sid
        client = carrier.client()
        assert client.api.accounts(sub.sid).fetch().friendly_name == "kept"
        assert client.incoming_phone_numbers(number.sid).fetch().sms_url == hooks.url(path)
        assert carrier.stop() in (0, -15)


def test_a_killed_carrier_posts_the_webhook_it_owed(tmp_path: Path, hooks: Hooks, path: str) -> None:
    never = threading.Event()
    with running_carrier(tmp_path, hosts=f"{HOST}=127.0.0.1:{hooks.port}") as carrier:
        number = carrier.client().incoming_phone_numbers.create(area_code="415", sms_url=hooks.url(path) + "/slow")
        numbers = carrier.client().incoming_phone_numbers
        hooks.replies[path + "/slow"] = [Reply(wait=never)]
        taken = carrier.text("+12025550171", str(number.phone_number), "hi", wait_s=0)
        hooks.next(path + "/slow")
        numbers(number.sid).update(sms_url=hooks.url(path))
        carrier.kill()
        carrier.start()
        assert hooks.next(path).params["MessageSid"] == taken["sid"]
        never.set()


def test_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    with running_carrier(tmp_path):
        modes = {name: (tmp_path / name).stat().st_mode & 0o777 for name in ("account.json", "control.token")}
    assert modes == {"account.json": 0o600, "control.token": 0o600}


def test_logs_hold_no_bodies_tokens_or_whole_numbers(tmp_path: Path) -> None:
    with running_carrier(tmp_path) as carrier:
        number = carrier.client().incoming_phone_numbers.create(area_code="415")
        carrier.text("+12025550172", str(number.phone_number), "top secret")
        carrier.control.get("/people/+12025550172/phone").raise_for_status()
        carrier.stop()
        log = (tmp_path / "carrier.log").read_text()
        lines = [json.loads(line) for line in log.splitlines()]
        assert any(line["path"] == "/control/people/+…0172/phone" for line in lines)
        for secret in ("top secret", "2025550172", str(number.phone_number)[2:], carrier.auth_token):
            assert secret not in log


def test_a_reset_forgets_all_but_the_main_account(tmp_path: Path) -> None:
    with running_carrier(tmp_path) as carrier:
        carrier.client().incoming_phone_numbers.create(area_code="415")
        sub = carrier.client().api.accounts.create(friendly_name="gone")
        carrier.control.post("/reset").raise_for_status()
        assert carrier.client().incoming_phone_numbers.list() == []
        assert sub.sid not in [account.sid for account in carrier.client().api.accounts.list()]
        assert {entry["recipient"] for entry in carrier.ledger()} == {"72975", "89203"}


def test_a_setting_that_cannot_be_used_ends_the_start_with_its_name(tmp_path: Path) -> None:
    env = {**os.environ, "CARRIER_HOST": "0.0.0.0", "CARRIER_PORT": str(free_port()), "CARRIER_DATA_DIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-m", "carrier"], env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "CARRIER_ALLOW_BIND=1" in ended.stderr


def test_a_broken_secrets_file_ends_the_start_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "account.json").write_text("{}")
    env = {**os.environ, "CARRIER_PORT": str(free_port()), "CARRIER_DATA_DIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-m", "carrier"], env=env, capture_output=True, text=True, check=False)
    assert (ended.returncode, "account.json lacks" in ended.stderr) == (2, True)


def test_the_command_line_speaks_for_a_person(tmp_path: Path) -> None:
    with running_carrier(tmp_path) as carrier:
        number = str(carrier.client().incoming_phone_numbers.create(area_code="415").phone_number)
        token = str(carrier.control_token_file)
        env = {**os.environ, "CARRIER_URL": carrier.base_url, "CARRIER_CONTROL_TOKEN_FILE": token}

        def run(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "carrier.cli", *words]
            return subprocess.run(command, env=env, capture_output=True, text=True, check=False)

        assert json.loads(run("text", "+12025550173", number, "hi").stdout)["webhook"] == "none"
        carrier.client().messages.create(to="+12025550173", from_=number, body="hello")
        answer = json.loads(run("read", "+12025550173", "--wait", "20").stdout)
        assert [text["body"] for text in answer["texts"]] == ["hello"]
        assert run("faults", "add", "cut_after", "--operation", "messages.create", "--times", "1").returncode == 0
        refused = run("text", "+12025550173", "+12025550199", "hi")
        assert (refused.returncode, "not an owned number" in refused.stderr) == (1, True)
