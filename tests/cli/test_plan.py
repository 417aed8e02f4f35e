"""What a local run starts, and what it refuses to."""

from __future__ import annotations

from pathlib import Path

import pytest
from switchboard.local.plan import SPAN, WORKERS, BadPlan, Place, Program, parse_replicas, programs


def a_place(replicas: str = "", *, carrier: bool = True, database_url: str = "") -> Place:
    counts = parse_replicas(replicas)
    return Place(Path("/d"), Path("/d/s"), 9000, "https://hooks.test", counts, database_url, carrier)


def planned(place: Place) -> dict[str, Program]:
    return {program.name: program for program in programs(place, "nats-server")}


def test_one_of_each_is_started_unless_told_otherwise() -> None:
    assert set(planned(a_place())) == {"nats", "streams", *WORKERS, "gateway", "mcp-edge", "carrier"}


def test_workers_stands_for_every_worker() -> None:
    assert parse_replicas("workers=2, gateway=3") == {**dict.fromkeys(WORKERS, 2), "gateway": 3}


@pytest.mark.parametrize("text", ["gateway", "gateway=", "gateway=0", "gateway=99", "gateway=x", "=2"])
def test_replicas_that_cannot_be_read_are_refused_with_their_form(text: str) -> None:
    with pytest.raises(BadPlan, match=r"service=count|no service"):
        parse_replicas(text)


@pytest.mark.parametrize("name", ["carrier", "nats", "streams", "gatway"])
def test_what_cannot_have_replicas_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadPlan, match=name):
        parse_replicas(f"{name}=2")


def test_no_two_programs_want_one_port_and_all_stay_in_the_span() -> None:
    ports = [port for program in planned(a_place("workers=4,gateway=8,mcp-edge=4")).values() for port in program.ports]
    assert len(ports) == len(set(ports))
    assert min(ports) >= 9000
    assert max(ports) < 9000 + SPAN


def test_more_processes_than_ports_are_refused() -> None:
    with pytest.raises(BadPlan, match="ports"):
        planned(a_place("workers=8,gateway=8,mcp-edge=8"))


def test_the_carrier_finds_every_gateway_under_the_public_host() -> None:
    hosts = planned(a_place("gateway=3"))["carrier"].env["CARRIER_HOSTS"]
    assert hosts == "hooks.test=127.0.0.1:9000|127.0.0.1:9051|127.0.0.1:9052"


def test_without_the_carrier_the_provider_is_the_real_one() -> None:
    plan = planned(a_place(carrier=False))
    assert "carrier" not in plan
    assert "SWITCHBOARD_TWILIO_API_URL" not in plan["messaging"].env


def test_edges_stop_before_workers_and_the_broker_last() -> None:
    plan = planned(a_place())
    assert plan["gateway"].stage < plan["messaging"].stage < plan["carrier"].stage < plan["nats"].stage


def test_replicas_know_themselves_apart() -> None:
    plan = planned(a_place("messaging=2"))
    assert [plan[name].env["SWITCHBOARD_INSTANCE"] for name in ("messaging", "messaging-1")] == ["0", "1"]
