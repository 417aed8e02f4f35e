"""The connection to the broker outlives an impatient ping; what is for every replica reaches every replica."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest
from common.bus import Bus
from common.catalogue.messages import GetOperation, OperationState, WithdrawLease
from common.catalogue.values import Done
from common.errors import Unavailable

from tests.support.servers import Broker


async def test_a_late_answer_to_a_ping_costs_nobody_the_connection(broker: Broker) -> None:
    connected = 0

    async def count() -> None:
        nonlocal connected
        connected += 1

    bus = Bus("tester", broker.url)
    bus.on_reconnect(count)
    await bus.start()
    assert broker.process
    broker.process.send_signal(signal.SIGSTOP)
    os.waitpid(broker.process.pid, os.WUNTRACED)  # noqa: ASYNC222 - it stops at once
    try:
        with pytest.raises(Unavailable):
            await bus.ping()
    finally:
        broker.process.send_signal(signal.SIGCONT)
    await bus.ping()
    given_up = asyncio.create_task(bus.ping())
    await asyncio.sleep(0)
    given_up.cancel()
    await bus.ping()
    assert connected == 1
    await bus.stop()


async def test_an_order_for_everyone_is_done_by_every_replica_and_a_question_is_answered_by_one(broker: Broker) -> None:
    done: list[str] = []
    all_of_them = asyncio.Event()

    async def withdraw(order: WithdrawLease) -> Done:
        done.append(order.lease_order)
        if len(done) == 3:
            all_of_them.set()
        return Done(changed=True)

    async def known(query: GetOperation) -> OperationState:
        done.append(query.operation)
        return OperationState(known=True)

    replicas, asker = [Bus("messaging", broker.url) for _ in range(3)], Bus("mcp-edge", broker.url)
    for replica in replicas:
        replica.serve(WithdrawLease, withdraw)
        replica.serve(GetOperation, known)
    for bus in (*replicas, asker):
        await bus.start()
    assert (await asker.order(WithdrawLease(organisation="org", agent="agt", lease_order="req_1"))).changed
    async with asyncio.timeout(10):
        await all_of_them.wait()
    assert (await asker.query(GetOperation(organisation="org", operation="op_1"))).known
    for bus in (asker, *replicas):
        await bus.stop()  # finishes what is in hand
    assert done == ["req_1", "req_1", "req_1", "op_1"]
