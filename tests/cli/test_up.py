"""The house as `make run` starts it: ready, kept up, one per folder, stopped in order; and the commands that ask it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from switchboard.local import ports
from switchboard.main import app
from typer.testing import CliRunner

from tests.support.stack import Stack, a_stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """For every test here; the last one stops it."""
    with a_stack(tmp_path_factory.mktemp("house"), replicas="gateway=2") as running:
        yield running


def switchboard(data: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "switchboard", "--data", str(data), *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def asked(stack: Stack, *arguments: str) -> Any:
    """The same without a process of its own, which takes ten times as long."""
    done = CliRunner().invoke(app, [*arguments, "--json"], env={"SWITCHBOARD_DATA": str(stack.folder)})
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_everything_is_ready_and_says_where_it_is(stack: Stack) -> None:
    rows = asked(stack, "status")
    assert {row["service"] for row in rows} == set(stack.run["services"])
    assert all(row["ready"] for row in rows)
    assert [httpx.get(f"{url}/health").status_code for url in stack.run["services"]["gateway"]] == [200, 200]


def test_run_json_holds_no_secret(stack: Stack) -> None:
    text = (stack.folder / "run.json").read_text()
    secrets = [path.read_text().strip() for path in stack.secrets.iterdir() if path.suffix in (".token", ".password")]
    assert not [secret for secret in secrets if secret in text]


def test_a_tenant_an_agent_and_a_text_from_the_command_line(stack: Stack) -> None:
    made = asked(stack, "organizations", "create", "Harbour Hotel")
    here = ("-o", made["organisation"])
    agent = asked(stack, "agents", "provision", "Concierge", *here)
    assert agent["state"] == "active"
    sent = asked(stack, "texts", "send", agent["agent"], "+14155550123", "Good morning", *here)
    assert asked(stack, "texts", "list", agent["agent"], *here)[0]["message"] == sent["message"]
    assert asked(stack, "trace", sent["message"], *here)["steps"]
    assert asked(stack, "agents", "list", *here)[0]["agent"] == agent["agent"]
    assert asked(stack, "unresolved", "list", *here) == []
    asked(stack, "limits", "set", *here, "-a", agent["agent"], "--messages-per-day", "5")
    assert asked(stack, "limits", "show", *here, "-a", agent["agent"])["limits"]["messages_per_day"] == 5
    assert asked(stack, "usage", *here)["caps"]
    token = asked(stack, "tokens", "issue", *here, "-a", agent["agent"])
    asked(stack, "tokens", "revoke", token["token_id"], *here)
    assert asked(stack, "tokens", "list", *here, "-a", agent["agent"])[0]["revoked_at"]
    assert made["organisation"] in {row["organisation"] for row in asked(stack, "organizations", "list")}
    assert asked(stack, "dead-letters", "list") == []
    assert isinstance(asked(stack, "alerts"), list)
    assert switchboard(stack.folder, "audit", "verify").returncode == 0


def test_a_refusal_is_a_sentence_with_its_code_and_a_status(stack: Stack) -> None:
    done = switchboard(stack.folder, "agents", "show", "agt_nobody", "-o", "org_nobody")
    assert done.returncode == 1
    assert done.stderr.startswith("switchboard: ")
    assert "(no_agent)" in done.stderr or "(not_found)" in done.stderr


def test_nothing_the_services_do_is_refused_by_the_broker(stack: Stack) -> None:
    stack.wait_ready()
    refused = [line for line in stack.log_of("nats").splitlines() if "Violation" in line]
    assert refused == []


@pytest.mark.parametrize("name", ["messaging", "gateway-1", "mcp-edge", "nats"])
def test_what_dies_is_started_again(stack: Stack, name: str) -> None:
    old = stack.kill(name)
    stack.wait_restarted(name, old)
    assert f"{name} ended with signal SIGKILL" in stack.log


def test_what_is_held_stays_down_until_it_is_let_go(stack: Stack) -> None:
    health = stack.run["services"]["audit"][0]
    with stack.down("audit"), pytest.raises(httpx.ConnectError):
        while "audit stays down" not in stack.log:
            httpx.get(f"{stack.run['services']['billing'][0]}/health")
        httpx.get(f"{health}/health")
    assert httpx.get(f"{health}/health").status_code == 200


def test_a_second_run_on_one_folder_is_refused(stack: Stack) -> None:
    done = switchboard(stack.folder, "up", SWITCHBOARD_PORT_BASE=str(ports.free_base()))
    assert done.returncode == 2
    assert "another run holds" in done.stderr


def test_a_taken_port_is_named_with_who_wants_it(tmp_path: Path) -> None:
    base = ports.free_base()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", base))
        holder.listen()
        done = switchboard(tmp_path, "up", SWITCHBOARD_PORT_BASE=str(base))
    assert done.returncode == 1
    assert f"port {base}, which gateway needs, is taken" in done.stderr


def test_a_real_provider_needs_its_account_first(tmp_path: Path) -> None:
    done = switchboard(tmp_path, "up", "--no-carrier", SWITCHBOARD_PORT_BASE=str(ports.free_base()))
    assert done.returncode == 1
    assert "twilio.json" in done.stderr


def test_replicas_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    done = switchboard(tmp_path, "up", "--replicas", "carrier=2")
    assert done.returncode == 2
    assert "no service 'carrier'" in done.stderr


def test_commands_without_a_running_house_say_how_to_start_one(tmp_path: Path) -> None:
    done = switchboard(tmp_path, "organizations", "list")
    assert done.returncode == 3
    assert "make run" in done.stderr


def test_one_database_url_for_all_services_is_refused(tmp_path: Path) -> None:
    done = switchboard(tmp_path, "up", SWITCHBOARD_DATABASE_URL="postgresql://u@localhost/one")
    assert done.returncode == 2
    assert "{service}" in done.stderr


def test_sigint_stops_everything_and_leaves_nothing_behind(stack: Stack) -> None:
    pids = stack.run["pids"]
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(40) == 0
    assert not (stack.folder / "run.json").exists()
    assert not [name for name, pid in pids.items() if Path(f"/proc/{pid}").exists()]
    assert "was killed" not in stack.log
