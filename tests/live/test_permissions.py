"""With the configuration that `switchboard secrets` writes, on a real broker: what the table of grants allows works,
and everything else is refused. The matrix is made from the catalogue, so a new message is in it by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import nats
import orjson
import pytest
from common import broker_conf, grants, streams
from common.bus import Bus
from common.catalogue import messages
from common.directory import CREDENTIALS, DIRECTORY
from common.errors import Unavailable
from common.messages import Event, Request, events, requests
from common.snapshot import Follower, Publisher, heartbeat_subject
from nats.aio.client import Client
from nats.js.errors import Error as JetStreamError

from tests.support.servers import Broker, a_broker

PASSWORD = "a-password-of-this-test"
EVENTS = sorted(events.values(), key=lambda event: event.name)
REQUESTS = sorted(requests.values(), key=lambda request: request.name)
SERVICES = sorted(grants.SERVICES)
READERS = [(service, durable) for service in SERVICES for durable in grants.SERVICES[service].reads]


@dataclass
class Session:
    """A connection as one user that remembers what the broker refused."""

    client: Client
    refusals: list[str] = field(default_factory=list)

    async def refused_of(self, subjects: list[str]) -> set[str]:
        """Which of these were refused. The first ping may leave before what is buffered; the second comes after it, and
        so its answer after every refusal."""
        await self.client.flush(timeout=5)
        await self.client.flush(timeout=5)
        said = " ".join(self.refusals)
        return {subject for subject in subjects if f'"{subject.lower()}"' in said}

    async def publish(self, subjects: list[str]) -> set[str]:
        for subject in subjects:
            await self.client.publish(subject, b"{}")
        return await self.refused_of(subjects)

    async def subscribe(self, subjects: list[str]) -> set[str]:
        for subject in subjects:
            await self.client.subscribe(subject)
        return await self.refused_of(subjects)

    async def declares_reader(self, durable: str, subject: str, in_request: str) -> bool:
        """Whether the broker made a reader with this filter; `in_request` is what the request's own subject ends in."""
        body = {
            "stream_name": streams.EVENTS,
            "config": {"durable_name": durable, "filter_subject": subject, "ack_policy": "explicit"},
        }
        address = f"$JS.API.CONSUMER.CREATE.{streams.EVENTS}.{durable}{in_request}"
        reply = self.client.new_inbox()
        answers = await self.client.subscribe(reply)
        await self.client.publish(address, orjson.dumps(body), reply=reply)
        if await self.refused_of([address]):
            return False
        answer = await answers.next_msg(timeout=5)
        return "error" not in orjson.loads(answer.data)


AsUser = Callable[[str], Awaitable[Session]]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with the users of the house."""
    folder = tmp_path_factory.mktemp("guarded")
    whole = broker_conf.render(broker_conf.Place(str(folder)), dict.fromkeys(grants.USERS, PASSWORD))
    with a_broker(folder, whole[whole.index("authorization {") :]) as server:
        yield server


@pytest.fixture
async def as_user(guarded: Broker) -> AsyncIterator[AsUser]:
    """Sessions as any user, closed at the end; the streams are there."""
    async with contextlib.AsyncExitStack() as opened:

        async def connect(user: str) -> Session:
            refusals: list[str] = []

            async def note(error: Exception) -> None:
                refusals.append(str(error).lower())

            client = await nats.connect(
                guarded.url,
                user=user,
                password=PASSWORD,
                inbox_prefix=f"_INBOX_{user}".encode(),
                error_cb=note,
                allow_reconnect=False,
            )
            opened.push_async_callback(client.close)
            return Session(client, refusals)

        migrator = await connect(grants.MIGRATOR)
        await streams.declare(migrator.client.jetstream())
        yield connect


def of_some_organisation(patterns: list[str]) -> list[str]:
    return sorted(pattern.replace("*", "org_1") for pattern in patterns)


def events_of(user: str) -> set[type[Event]]:
    if user == grants.OPERATOR:
        return set(EVENTS)
    return set(grants.SERVICES[user].publishes) if user in grants.SERVICES else set()


@pytest.mark.parametrize("user", grants.USERS)
async def test_a_user_publishes_its_own_events_and_no_others(as_user: AsUser, user: str) -> None:
    session = await as_user(user)
    foreign = of_some_organisation([event.pattern() for event in EVENTS if event not in events_of(user)])
    every = of_some_organisation([event.pattern() for event in EVENTS])
    assert await session.publish(every) == set(foreign)


@pytest.mark.parametrize("user", grants.USERS)
async def test_a_user_asks_only_what_it_was_granted(as_user: AsUser, user: str) -> None:
    session = await as_user(user)
    granted: tuple[type[Request[Any]], ...] = grants.asked_by(user) if user in grants.SERVICES else ()
    foreign = of_some_organisation([request.pattern() for request in REQUESTS if request not in granted])
    assert await session.publish(of_some_organisation([request.pattern() for request in REQUESTS])) == set(foreign)


@pytest.mark.parametrize("user", grants.USERS)
async def test_a_user_hears_only_the_requests_it_serves(as_user: AsUser, user: str) -> None:
    session = await as_user(user)
    foreign = {request.pattern() for request in REQUESTS if request.owner() != user}
    assert await session.subscribe([request.pattern() for request in REQUESTS]) == foreign


@pytest.mark.parametrize("user", grants.USERS)
async def test_a_user_hears_no_event_live_unless_granted(as_user: AsUser, user: str) -> None:
    session = await as_user(user)
    heard = set(grants.SERVICES[user].hears) if user in grants.SERVICES else set()
    every = [event.pattern() for event in EVENTS] + ["comms.>", "comms.org_1.>", ">"]
    allowed = {subject for subject in every if subject != ">"} if user == grants.SUBSCRIBER else heard
    assert await session.subscribe(every) == set(every) - allowed


@pytest.mark.parametrize(("service", "durable"), READERS)
async def test_a_durable_reader_reads_its_own_subject_and_no_other(as_user: AsUser, service: str, durable: str) -> None:
    session = await as_user(service)
    name, mine = f"{service}-{durable}", grants.SERVICES[service].reads[durable]
    assert await session.declares_reader(name, mine, f".{mine}")
    covered = {event.pattern() for event in EVENTS} if mine == grants.ALL_EVENTS else {mine}
    for subject in ({event.pattern() for event in EVENTS} | {grants.ALL_EVENTS, mine}) - covered - {mine}:
        assert not await session.declares_reader(name, subject, f".{subject}")
        assert not await session.declares_reader(name, subject, f".{mine}"), "the filter must be the granted one"
        assert not await session.declares_reader(name, subject, ""), "a request without its filter is not granted"


@pytest.mark.parametrize("user", grants.USERS)
async def test_nobody_reads_settles_or_sets_aside_for_the_reader_of_another(as_user: AsUser, user: str) -> None:
    session = await as_user(user)
    foreign = [
        subject
        for service, durable in READERS
        if service != user
        for subject in (
            f"$JS.API.CONSUMER.MSG.NEXT.{streams.EVENTS}.{service}-{durable}",
            f"$JS.ACK.{streams.EVENTS}.{service}-{durable}.1.1.1.1.0",
            f"dead.{service}-{durable}",
        )
    ]
    assert await session.publish(foreign) == set(foreign)


@pytest.mark.parametrize("user", grants.USERS)
async def test_nobody_hears_the_answers_of_another(as_user: AsUser, user: str) -> None:
    session = await as_user(user)
    foreign = [f"_INBOX_{other}.>" for other in grants.USERS if other != user]
    assert await session.subscribe(foreign) == set(foreign)


@pytest.mark.parametrize("user", grants.USERS)
async def test_streams_are_changed_by_the_migration_step_alone(as_user: AsUser, user: str) -> None:
    session = await as_user(user)
    every = [
        f"$JS.API.STREAM.{verb}.{stream}"
        for verb in ("CREATE", "UPDATE", "DELETE", "PURGE")
        for stream in (streams.EVENTS, streams.DEAD, "KV_directory", "KV_credentials", "OTHER")
    ]
    mine = {s for s in every if s.split(".")[3] in ("CREATE", "UPDATE") and not s.endswith("OTHER")}
    # The owner of the snapshots takes their old chunks away, and touches no stream otherwise.
    chunks = {f"$JS.API.STREAM.PURGE.KV_{bucket}" for bucket in streams.BUCKETS}
    allowed = {grants.MIGRATOR: mine, "provisioning": chunks}.get(user, set())
    assert await session.publish(every) == set(every) - allowed


@pytest.mark.parametrize("user", grants.USERS)
async def test_only_provisioning_writes_the_buckets(as_user: AsUser, user: str) -> None:
    session = await as_user(user)
    every = [f"$KV.{bucket}.attempt" for bucket in streams.BUCKETS]
    every += [heartbeat_subject(bucket) for bucket in streams.BUCKETS]
    assert await session.publish(every) == (set() if user == "provisioning" else set(every))


@pytest.mark.parametrize("user", grants.USERS)
async def test_a_bucket_is_read_only_by_those_who_follow_it(as_user: AsUser, user: str) -> None:
    session = await as_user(user)
    follows = {DIRECTORY, CREDENTIALS} if user == "provisioning" else set()
    if user in grants.SERVICES:
        follows |= set(grants.SERVICES[user].follows)
    closed = [bucket for bucket in streams.BUCKETS if bucket not in follows]
    reading = [f"$JS.API.DIRECT.GET.KV_{bucket}.$KV.{bucket}.head" for bucket in closed]
    reading += [f"$JS.API.STREAM.MSG.GET.KV_{bucket}" for bucket in streams.BUCKETS]
    reading += [f"$JS.API.CONSUMER.CREATE.KV_{bucket}.spy" for bucket in streams.BUCKETS]
    assert await session.publish(reading) == set(reading)
    listening = [f"$KV.{bucket}.>" for bucket in streams.BUCKETS] + [heartbeat_subject(bucket) for bucket in closed]
    assert await session.subscribe(listening) == set(listening)


@pytest.mark.parametrize("service", [s for s in SERVICES if grants.SERVICES[s].follows])
async def test_a_follower_gets_the_snapshots_it_was_granted(guarded: Broker, as_user: AsUser, service: str) -> None:
    async with contextlib.AsyncExitStack() as stack:
        owner = await started(stack, Bus("provisioning", guarded.url, user="provisioning", password=PASSWORD))
        reader = Bus(service, guarded.url, user=service, password=PASSWORD)
        folder = guarded.folder / service
        followers = [Follower(reader, bucket, folder / bucket, nothing) for bucket in grants.SERVICES[service].follows]
        await started(stack, reader)
        for follower, bucket in zip(followers, grants.SERVICES[service].follows, strict=True):
            task = asyncio.create_task(follower.run())
            stack.callback(task.cancel)
            await Publisher(owner, bucket).publish(1, {"bucket": bucket})
            assert await follower.wait_for(1, timeout=10)


def nothing(_revision: int, _content: dict[str, Any]) -> None:
    """What these followers do with a snapshot."""


async def test_an_order_is_asked_served_and_answered_under_the_grants(guarded: Broker, as_user: AsUser) -> None:
    async with contextlib.AsyncExitStack() as stack:
        owner = Bus("messaging", guarded.url, user="messaging", password=PASSWORD)

        async def known(_: messages.GetOperation) -> messages.OperationState:
            return messages.OperationState(known=True)

        owner.serve(messages.GetOperation, known)
        await started(stack, owner)
        billing = await started(stack, Bus("billing", guarded.url, user="billing", password=PASSWORD))
        edge = await started(stack, Bus("mcp-edge", guarded.url, user="mcp-edge", password=PASSWORD))
        question = messages.GetOperation(organisation="org_1", operation="op_1")
        assert (await billing.query(question)).known
        with pytest.raises(Unavailable):
            await edge.query(question, deadline=0.3)


async def test_the_operator_reads_dead_letters_and_takes_one_away(as_user: AsUser) -> None:
    service, durable = READERS[0]
    author = await as_user(service)
    await author.client.request(f"dead.{service}-{durable}", b"{}", timeout=5)
    operator = (await as_user(grants.OPERATOR)).client.jetstream()
    last = (await operator.stream_info(streams.DEAD)).state.last_seq
    assert (await operator.get_msg(streams.DEAD, last)).data == b"{}"
    await operator.delete_msg(streams.DEAD, last)
    with pytest.raises(JetStreamError):
        await operator.get_msg(streams.DEAD, last)


async def test_a_program_of_ones_own_reads_events_with_its_own_reader(as_user: AsUser) -> None:
    gateway = await as_user("gateway")
    await gateway.client.request("comms.org_1.messages.v1.sms.received", b'{"of": "ours"}', timeout=5)
    session = await as_user(grants.SUBSCRIBER)
    reader = await session.client.jetstream().pull_subscribe(
        "comms.*.messages.v1.sms.received", durable=grants.SUBSCRIBER_DURABLES[0], stream=streams.EVENTS
    )
    [message] = await reader.fetch(1, timeout=5)
    await message.ack_sync()
    assert message.data in (b'{"of": "ours"}', b"{}")


async def started(stack: contextlib.AsyncExitStack, bus: Bus) -> Bus:
    if not bus.connected:
        await bus.start()
        stack.push_async_callback(bus.stop)
    return bus
