"""A real wire between car and base that swallows packets, is thin, or ends at a broker that was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.backlogs import FAULT, driven
from support.faulty_agents import counted, counting_agent, rows_so_far_once
from support.namespaces import needs_root
from support.receipts import ReceiptGiver
from support.stores import DEVICE
from support.veth import BASE, FarMosquitto, Wire
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = needs_root
KEEPALIVE_S = 5
SLOW_BITS_PER_S = 64_000
DAYS = 7


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A car and a base."""
    with Wire() as made:
        yield made


@pytest.fixture
def broker(tmp_path: Path, wire: Wire) -> Iterator[FarMosquitto]:
    """A broker in the base."""
    with FarMosquitto(tmp_path / "broker", wire) as made:
        yield made


@pytest.fixture
async def server(broker: FarMosquitto) -> ReceiptGiver:
    """Gives receipts, close to the broker."""
    async with ReceiptGiver(broker.port, unix_socket=broker.socket) as made:
        yield made


async def test_a_link_that_swallows_packets_is_found_and_the_backlog_goes_on(
    tmp_path: Path, wire: Wire, broker: FarMosquitto, server: ReceiptGiver
) -> None:
    uplink = {"host": BASE, "keepalive_s": KEEPALIVE_S, "reconnect_s_max": 0.5}
    agent = counting_agent(tmp_path / "agent", broker.port, within=wire.car.within, uplink=uplink)
    agent.start()
    try:
        await until(lambda: len(counted(server)) > 20, "samples over the wire")
        wire.swallow()
        # By its own patience (tests/agent/test_mqtt_liveness.py says how long that is), not by that of TCP.
        await until(lambda: not agent.status()["uplink"]["is_connected"], "the agent finds the dead link")
        assert "nothing was heard for" in agent.status()["uplink"]["error"]
        seen = agent.status()["buffer"]["stored_seq"]
        await until(lambda: agent.status()["buffer"]["stored_seq"] > seen + 50, "it stores meanwhile")
        wire.mend()
        await rows_so_far_once(agent, server)
    finally:
        agent.kill()


async def test_a_week_of_driving_drains_over_a_thin_wire_with_its_fault_first(
    tmp_path: Path, wire: Wire, broker: FarMosquitto, server: ReceiptGiver
) -> None:
    agent = counting_agent(
        tmp_path / "agent", broker.port, rows=1, within=wire.car.within, uplink={"host": BASE}
    )
    stored = driven(agent.buffer, DAYS)
    wire.slow(SLOW_BITS_PER_S)
    agent.start()
    try:
        committed = server.of(DEVICE, stored.epoch)
        await until(lambda: committed.samples, "the first batch")
        assert FAULT in {row.signal for row in server.batches[0].samples()}, "the fault did not come first"
        await until(lambda: committed.receipt(stored.epoch).seq >= stored.last, "the whole backlog")
    finally:
        agent.kill()
    assert not committed.lost
    assert {seq: (row.signal, row.value) for seq, row in committed.samples.items() if seq <= stored.last} == (
        stored.samples
    )


async def test_a_broker_that_is_killed_at_the_far_end_of_the_wire(
    tmp_path: Path, wire: Wire, broker: FarMosquitto, server: ReceiptGiver
) -> None:
    agent = counting_agent(tmp_path / "agent", broker.port, within=wire.car.within, uplink={"host": BASE})
    agent.start()
    try:
        for kill in range(3):
            await until(lambda least=100 * (kill + 1): len(counted(server)) > least, "samples over the wire")
            broker.kill()
            broker.start()
        await rows_so_far_once(agent, server)
    finally:
        agent.kill()
