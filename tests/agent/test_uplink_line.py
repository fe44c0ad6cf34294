"""The uplink with a real Mosquitto and a small server that gives receipts."""

from __future__ import annotations

import asyncio
import contextlib
from random import Random
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from milepost_agent.backoff import Backoff
from milepost_agent.buffer.recorder import Recorder, RecorderLimits, Surroundings
from milepost_agent.clock import SystemClock
from milepost_agent.readings import Reading
from milepost_agent.uplink import mqtt, uplink
from milepost_agent.uplink.budget import Budget, BudgetLimits
from milepost_agent.uplink.link import Broker
from milepost_agent.uplink.session import FRESH_SEQS_MAX
from milepost_agent.uplink.uplink import Uplink
from milepost_agent.uplink.window import QUEUE_S
from milepost_protocol import topics
from milepost_protocol.samples import GapReason
from support.links import CHUNK_BYTES, Link
from support.mosquitto import Mosquitto, mosquitto
from support.receipts import ReceiptGiver
from support.sessions import QUICK, session_limits
from support.stores import CLOCK, DEVICE, DISK, DTC, ODOMETER, Entropy, open_store, readings
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from milepost_agent.buffer.store import BufferFacts
    from milepost_agent.uplink.session import SessionLimits
    from milepost_protocol.samples import Sample

__all__ = ["mosquitto"]


NO_LIMITS = BudgetLimits()
SLOW_BYTES_S = 12_800.0


class Line:
    """A recorder and an uplink; ``add`` samples to one end and look what comes out at the other."""

    def __init__(
        self,
        folder: Path,
        port: int,
        secret: str | None = None,
        reconnect_s_max: float = 0.2,
        *,
        protocol: str = "3.1.1",
        budget: BudgetLimits = NO_LIMITS,
        limits: SessionLimits = QUICK,
        keepalive_s: int = 2,
    ) -> None:
        self.path = folder / "buffer.db"
        self.entropy = Entropy()
        when = RecorderLimits(commit_interval_s=0.05, commit_samples_max=100, memory_samples_max=100_000)
        around = Surroundings(state=dict, clock=CLOCK.read, disk=lambda: DISK)
        self.recorder = Recorder(lambda: open_store(self.path, entropy=self.entropy), around, when)
        broker = Broker("127.0.0.1", port, DEVICE, secret, keepalive_s, tls=None, protocol=protocol)
        self.backoff = Backoff(lambda: 0.0, 0.05, reconnect_s_max)
        self.uplink = Uplink(
            broker,
            mqtt.connect,
            self.recorder,
            limits=limits,
            backoff=self.backoff,
            clock=SystemClock(),
            budget=Budget(budget),
        )
        self.recorder.on_stored = self.uplink.wake
        self.stored = 0

    def add(self, count: int) -> None:
        self.recorder.add(readings(count, start=self.stored))
        self.stored += count

    async def facts(self) -> BufferFacts:
        return await self.recorder.ask(lambda store: store.facts())

    async def drained(self) -> BufferFacts:
        """Wait until everything is stored and receipted."""

        async def is_drained() -> bool:
            facts = await self.facts()
            return not facts.waiting and facts.stored_seq >= self.stored

        await until(is_drained, "all that was added stored and receipted")
        return await self.facts()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self.recorder.run()), asyncio.create_task(self.uplink.run())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self.recorder.finish()


def values(server: ReceiptGiver, epoch: str) -> list[object]:
    samples = server.of(DEVICE, epoch).samples
    return [samples[seq].value for seq in sorted(samples)]


async def test_what_is_stored_arrives_and_is_deleted_on_its_receipt(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    line = Line(tmp_path, mosquitto.port)
    async with ReceiptGiver(mosquitto.port) as server, line.running():
        line.add(1000)
        facts = await line.drained()
        assert values(server, facts.epoch) == list(range(1000))
        assert facts.receipted_seq == 1000
        line.add(5)
        facts = await line.drained()
        assert values(server, facts.epoch) == list(range(1005))


async def test_without_a_server_nothing_is_deleted_and_little_is_sent(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    line = Line(tmp_path, mosquitto.port)
    async with line.running():
        line.add(2000)
        await until(lambda: line.uplink.session and line.uplink.session.resends >= 2, "two resends")
        assert (await line.facts()).waiting == 2000
        assert line.uplink.session is not None
        assert line.uplink.session.unreceipted_batches <= QUICK.unreceipted_batches_max
        async with ReceiptGiver(mosquitto.port) as server:
            facts = await line.drained()
            assert values(server, facts.epoch) == list(range(2000))


async def test_a_broker_that_is_killed_and_comes_back_empty_loses_nothing(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    line = Line(tmp_path, mosquitto.port)
    async with ReceiptGiver(mosquitto.port) as server, line.running():
        for _ in range(4):
            line.add(300)
            await until(lambda: line.uplink.is_connected, "a connection")
            mosquitto.kill()
            line.add(300)
            await until(lambda: not line.uplink.is_connected, "the loss of the connection")
            mosquitto.start()
        facts = await line.drained()
        assert values(server, facts.epoch) == list(range(2400))
        assert line.uplink.connects >= 4


async def test_a_broker_that_acknowledges_and_a_server_that_forgets(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    line = Line(tmp_path, mosquitto.port)
    async with ReceiptGiver(mosquitto.port) as server, line.running():
        server.is_deaf = True
        line.add(500)
        await until(lambda: server.counts["batches"] >= 3, "some batches")
        assert (await line.facts()).waiting == 500
        server.is_deaf = False
        facts = await line.drained()
        assert values(server, facts.epoch) == list(range(500))


async def test_a_server_restored_from_a_backup_gets_the_rest_and_a_gap(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    line = Line(tmp_path, mosquitto.port)
    async with ReceiptGiver(mosquitto.port) as server, line.running():
        line.add(300)
        facts = await line.drained()
        committed = server.of(DEVICE, facts.epoch)
        for seq in range(101, 301):
            del committed.samples[seq]
        line.add(10)
        await until(lambda: committed.has(200), "the gap")
        await line.drained()
        assert sorted(committed.samples) == [*range(1, 101), *range(301, 311)]
        assert {(gap.first, gap.last, gap.reason) for gap in committed.lost.values()} == {
            (101, 300, GapReason.RESTORED)
        }


async def test_after_an_outage_faults_come_first_then_the_newest_then_the_backlog(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    line = Line(tmp_path, mosquitto.port)
    committing = asyncio.create_task(line.recorder.run())
    async with ReceiptGiver(mosquitto.port) as server:
        line.add(3_000)
        await until(lambda: line.recorder.sampled == 3_000 and not line.recorder.pending, "the first half")
        line.recorder.add(readings(1, DTC))
        line.add(3_000)
        await until(lambda: line.recorder.commits > 31 and not line.recorder.pending, "everything stored")
        committing.cancel()
        await asyncio.wait([committing])
        line.stored += 1
        async with line.running():
            facts = await line.drained()
        spans = [(batch.first, batch.last) for batch in server.batches]
        faulty, fresh, *backlog = spans
        assert any(sample.signal == DTC for sample in server.batches[0].samples())
        assert fresh == (6_001 - FRESH_SEQS_MAX + 1, 6_001)
        assert backlog == sorted(backlog)
        assert faulty[0] == 3_001
        assert backlog[0][0] == 1
        assert len(server.of(DEVICE, facts.epoch).samples) == 6_001
        assert server.of(DEVICE, facts.epoch).resent < 200, "the block of the fresh part's beginning"


async def test_after_a_restart_what_has_no_receipt_is_sent_again(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    line = Line(tmp_path, mosquitto.port)
    async with ReceiptGiver(mosquitto.port) as server:
        server.is_mute = True
        async with line.running():
            line.add(400)
            await until(lambda: sum(len(batch.order) for batch in server.batches) >= 400, "all samples")
        server.is_mute = False
        again = Line(tmp_path, mosquitto.port)
        again.stored = 400
        async with again.running():
            facts = await again.drained()
            assert values(server, facts.epoch) == list(range(400))
            assert server.of(DEVICE, facts.epoch).resent == 400


async def test_a_wrong_password_is_told_and_a_right_one_works(tmp_path: Path) -> None:
    acl = "\n".join(
        (
            "user milepost-server",
            "topic readwrite milepost/v1/#",
            "pattern write milepost/v1/%u/up",
            "pattern read milepost/v1/%u/ack",
        )
    )
    users = {DEVICE: "right", "milepost-server": "also right"}
    with Mosquitto(tmp_path / "mosquitto", users=users, acl=acl) as broker:
        wrong = Line(tmp_path / "wrong", broker.port, "wrong")
        async with wrong.running():
            await until(lambda: "ot authori" in wrong.uplink.last_error, "the refusal in the status")
            assert not wrong.uplink.is_connected
        right = Line(tmp_path / "right", broker.port, "right")
        login = {"username": "milepost-server", "password": "also right"}
        async with ReceiptGiver(broker.port, **login) as server, right.running():
            right.add(10)
            facts = await right.drained()
            assert values(server, facts.epoch) == list(range(10))


@pytest.mark.parametrize("junk", [b"", b"MR", b"\x00" * 40, b"MR\x09\x00" + b"\x00" * 20])
async def test_junk_instead_of_a_receipt_is_counted(
    tmp_path: Path, mosquitto: Mosquitto, junk: bytes
) -> None:
    line = Line(tmp_path, mosquitto.port)
    async with line.running(), aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
        await until(lambda: line.uplink.is_connected, "a connection")
        await client.publish(topics.ack(DEVICE), junk)
        await until(lambda: sum(line.uplink.receipts.values()), "the count")
        assert all(name.startswith("refused_") for name in line.uplink.receipts)
        assert line.uplink.is_connected


async def test_a_half_open_link_is_found_and_nothing_is_lost_or_doubled(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with Link(mosquitto.port).serving() as link, ReceiptGiver(mosquitto.port) as server:
        line = Line(tmp_path, link.port)
        async with line.running():
            line.add(300)
            await line.drained()
            link.swallows = True
            line.add(300)
            await until(lambda: not line.uplink.is_connected, "the loss")
            line.add(300)
            link.swallows = False
            facts = await line.drained()
            assert line.uplink.connects == 2
            assert values(server, facts.epoch) == list(range(900))
            assert not server.of(DEVICE, facts.epoch).lost


async def test_over_a_slow_link_that_is_reset_again_and_again_all_arrives_once(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    async with Link(mosquitto.port).serving() as link, ReceiptGiver(mosquitto.port) as server:
        line = Line(tmp_path, link.port)
        link.pause_s = 0.01
        async with line.running():
            for connect in range(1, 6):
                line.add(400)
                await until(lambda connect=connect: line.uplink.connects >= connect, "a connection")
                link.reset()
            facts = await line.drained()
            assert values(server, facts.epoch) == list(range(2000))


async def test_receipts_on_short_connections_do_not_let_the_pause_begin_anew(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uplink, "STEADY_S", 3600.0)  # each of them is short, on the slowest machine, too
    async with Link(mosquitto.port).serving() as link, ReceiptGiver(mosquitto.port):
        line = Line(tmp_path, link.port, reconnect_s_max=60.0)
        async with line.running():
            for connect in range(1, 4):
                await until(lambda connect=connect: line.uplink.connects == connect, "a connection")
                line.add(10)
                await line.drained()
                link.reset()  # as a broker does when another agent comes by the same name
            await until(lambda: line.uplink.connects == 4, "one more")
        assert line.backoff.next_s() == pytest.approx(0.05 * 2**3)


async def test_when_the_bytes_of_the_day_are_used_up_only_faults_go(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    limits = BudgetLimits(bytes_per_day_max=4_000)
    line = Line(tmp_path, mosquitto.port, budget=limits)
    async with ReceiptGiver(mosquitto.port) as server, line.running():
        for _ in range(100):
            if line.uplink.allowance.why:
                break
            line.add(200)
            await asyncio.sleep(0.1)
        await until(lambda: line.uplink.allowance.why, "the end of the day's bytes")
        line.add(50)
        await until(lambda: line.recorder.pending == 0, "a commit")
        line.recorder.add(readings(1, DTC))
        await until(lambda: any(sample.signal == DTC for sample in heard(server)), "the fault")
        assert (await line.facts()).waiting > 50
        assert line.uplink.budget.used_bytes <= limits.bytes_per_day_max * 1.25


def heard(server: ReceiptGiver) -> list[Sample]:
    return [sample for batch in server.batches for sample in batch.samples()]


async def test_a_strict_broker_of_mqtt_5_gets_batches_that_it_takes(tmp_path: Path) -> None:
    limits = "max_packet_size 700\nmax_inflight_messages 2\n"
    with Mosquitto(tmp_path / "mosquitto", extra=limits) as broker:
        line = Line(tmp_path, broker.port, protocol="5")
        async with ReceiptGiver(broker.port) as server, line.running():
            line.add(2_000)
            facts = await line.drained()
            assert values(server, facts.epoch) == list(range(2_000))
            assert not line.uplink.last_error


async def test_batches_that_are_refused_are_seen_and_sent_again_once_they_are_taken(tmp_path: Path) -> None:
    folder, acl = tmp_path / "mosquitto", f"topic read {topics.ack(DEVICE)}\n"
    with Mosquitto(folder, acl=acl) as broker:
        line = Line(tmp_path, broker.port, protocol="5")
        async with line.running():
            line.add(100)
            await until(lambda: "not authorised" in line.uplink.last_error, "the refusal in the status")
            assert line.uplink.is_connected
            assert (await line.facts()).waiting == 100
            broker.kill()
            (folder / "acl").write_text("topic readwrite #\n")
            broker.start()
            async with ReceiptGiver(broker.port) as server:
                facts = await line.drained()
                assert values(server, facts.epoch) == list(range(100))


async def test_a_fault_does_not_wait_behind_a_backlog_on_a_slow_link(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    random = Random(64)
    async with Link(mosquitto.port).serving() as link, ReceiptGiver(mosquitto.port) as server:
        wide = session_limits(window_batches=10, unreceipted_batches_max=40, unreceipted_bytes_max=400_000)
        # A machine that is busy with other tests must not pass for a dead link.
        line = Line(tmp_path, link.port, limits=wide, keepalive_s=60)
        link.pause_s = CHUNK_BYTES / SLOW_BYTES_S
        # Nothing that compresses: four bytes a sample, a backlog of half a minute and more.
        line.recorder.add(
            Reading(ODOMETER, float(random.getrandbits(31)), CLOCK.mono_s) for _ in range(50_000)
        )
        async with line.running():
            await until(lambda: len(heard(server)) > 8_000, "the link's rate to be known")
            line.recorder.add(readings(1, DTC))
            await until(lambda: line.recorder.sampled > 50_000 and not line.recorder.pending, "a commit")
            before = len(heard(server))
            await until(lambda: any(sample.signal == DTC for sample in heard(server)), "the fault")
            assert len(heard(server)) - before < (QUEUE_S + 2) * SLOW_BYTES_S / 4
