"""The uplink with a far end that knows too much, says nonsense or refuses: nothing unsent is given up."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from typing import TYPE_CHECKING, Self

import pytest

from milepost_agent.backoff import Backoff
from milepost_agent.buffer import known
from milepost_agent.buffer.recorder import Recorder, RecorderLimits, Surroundings
from milepost_agent.clock import SystemClock
from milepost_agent.uplink.link import Broker, Granted, Message
from milepost_agent.uplink.uplink import Uplink
from milepost_protocol import topics
from milepost_protocol.codec import decode_batch
from milepost_protocol.limits import SEQ_MAX
from milepost_protocol.receipt import Receipt, encode_receipt
from support.receipts import Committed
from support.sessions import QUICK
from support.stores import CLOCK, DEVICE, DISK, DTC, Entropy, all_batches, commit, open_store, readings
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from milepost_agent.buffer.store import BufferFacts
    from milepost_agent.uplink.link import Terms
    from milepost_protocol.batch import Batch

ACK = topics.ack(DEVICE)


class Far:
    """A link in memory whose far end commits what comes; ``lie`` may answer something else than the truth."""

    def __init__(self) -> None:
        self.granted = Granted()
        self.dropped = 0
        self.epochs: defaultdict[str, Committed] = defaultdict(Committed)
        self.lie: Callable[[Batch], Receipt | None] = lambda _: None
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()

    @contextlib.asynccontextmanager
    async def connect(self, _broker: Broker, _terms: Terms) -> AsyncIterator[Self]:
        yield self

    async def publish(self, _topic: str, payload: bytes, *, is_retained: bool = False, qos: int = 1) -> None:
        assert (is_retained, qos) == (False, topics.UP_QOS)
        batch = decode_batch(payload)
        self.epochs[batch.epoch].add(batch)
        receipt = self.lie(batch) or self.epochs[batch.epoch].receipt(batch.epoch)
        self._inbox.put_nowait(Message(ACK, encode_receipt(receipt), is_retained=False))

    async def messages(self) -> AsyncIterator[Message]:
        while True:
            yield await self._inbox.get()

    def values(self) -> list[object]:
        """Of all samples that came, each as often as under different seqs."""
        return [sample.value for committed in self.epochs.values() for sample in committed.samples.values()]


async def drain(path: Path, far: Far, count: int = 0, entropy: Entropy | None = None) -> BufferFacts:
    """Run an uplink over ``path``, add ``count`` samples, and wait until nothing waits."""
    seeds = entropy or Entropy()
    around = Surroundings(state=dict, clock=CLOCK.read, disk=lambda: DISK)
    recorder = Recorder(
        lambda: open_store(path, entropy=seeds), around, RecorderLimits(0.05, 10, memory_samples_max=10_000)
    )
    broker = Broker("far", 1883, DEVICE, None, keepalive_s=2, tls=None)
    uplink = Uplink(
        broker,
        far.connect,
        recorder,
        limits=QUICK,
        backoff=Backoff(lambda: 0.0, 0.05, 0.2),
        clock=SystemClock(),
    )
    recorder.on_stored = uplink.wake
    recorder.add(readings(count))

    async def is_drained() -> bool:
        facts = await recorder.ask(lambda store: store.facts())
        return not facts.waiting and recorder.stored == count

    tasks = [asyncio.create_task(recorder.run()), asyncio.create_task(uplink.run())]
    try:
        await until(is_drained, "all that was added stored and receipted")
        return await recorder.ask(lambda store: store.facts())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await recorder.finish()


@pytest.mark.parametrize("lies", [1, 30])
async def test_a_server_that_knows_more_than_the_file_gets_all_under_a_new_epoch(
    tmp_path: Path, lies: int
) -> None:
    far = Far()

    def know_more(batch: Batch) -> Receipt | None:
        return Receipt(batch.epoch, batch.last + 1_000) if len(far.epochs) <= lies else None

    far.lie = know_more
    facts = await drain(tmp_path / "buffer.db", far, count=50)
    assert facts.epochs == 1
    assert sorted(set(far.values())) == [float(number) for number in range(50)]
    assert len(far.epochs) == lies + 1


def without_its_end(path: Path, entropy: Entropy) -> tuple[str, list[Batch]]:
    """A buffer that is damaged and lacks the end of its epoch, 301 to 400; what the server has of that.

    As a kill leaves it, with a log that rotted: no note tells how far the epoch went.
    """
    store = open_store(path, entropy=entropy)
    epoch = store.current.epoch
    for start in range(0, 300, 10):
        commit(store, readings(10, DTC, start=start))
    store.receive(epoch, 100)
    store.close()
    older = path.read_bytes()
    store = open_store(path, entropy=entropy)
    for start in range(300, 400, 10):
        commit(store, readings(10, DTC, start=start))
    newest = all_batches(store, epoch, first=351)
    store.close()
    known.note(path).unlink()
    page = bytearray(older)
    page[2 * 4096 : 2 * 4096 + 100] = bytes(100)
    path.write_bytes(page)
    return epoch, newest


async def test_what_the_server_has_above_an_old_epoch_costs_nothing_of_what_it_has_not(
    tmp_path: Path,
) -> None:
    path, entropy, far = tmp_path / "buffer.db", Entropy(), Far()
    epoch, newest = without_its_end(path, entropy)
    server = far.epochs[epoch]
    server.samples = dict.fromkeys(range(1, 101))
    for batch in newest:
        server.add(batch)
    store = open_store(path, entropy=entropy)
    assert [(stream.epoch == epoch, stream.next_seq) for stream in store.streams] == [(True, 301), (False, 1)]
    left = {row.seq for batch in all_batches(store, epoch, first=101) for row in batch.samples()}
    store.close()
    await drain(path, far, entropy=entropy)
    assert left <= server.samples.keys()
    assert sorted({*server.samples, *server.lost}) == list(range(1, 401))
    assert all(row.value == f"P{seq - 1:04d} pending" for seq, row in server.samples.items() if seq > 100)


async def test_a_seq_that_no_agent_can_have_reached_is_not_believed(tmp_path: Path) -> None:
    path, entropy, far = tmp_path / "buffer.db", Entropy(), Far()
    epoch, _ = without_its_end(path, entropy)
    far.epochs[epoch].samples = dict.fromkeys(range(1, 101))
    lies = [Receipt(epoch, 100, ((SEQ_MAX - 5, SEQ_MAX),)), Receipt(epoch, SEQ_MAX)]
    far.lie = lambda batch: lies.pop() if lies and batch.epoch == epoch else None
    facts = await drain(path, far, entropy=entropy)
    assert not lies
    assert facts.file_bytes < 200_000
    assert sorted({*far.epochs[epoch].samples, *far.epochs[epoch].lost}) == list(range(1, 301))
