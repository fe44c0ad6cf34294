"""The simulator's model of the server and the real ingest: the same payloads come to the same on both."""

from __future__ import annotations

import contextlib
import datetime as dt
import shutil
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from milepost_protocol import topics
from milepost_protocol.batch import Batch
from milepost_protocol.codec import encode_batch
from milepost_protocol.frame import read_header, wrap
from milepost_protocol.samples import Gap, GapReason, Sample, TimeTrust
from milepost_protocol.signals import catalogue
from milepost_server.ingest.arrivals import Arrival, open_arrival
from milepost_server.ingest.commit import CommitLimits, GroupCommit
from milepost_server.ingest.projection import Projector
from milepost_server.store.engine import Store, open_store
from milepost_server.store.schema import gaps, quarantine, readings, stream_ranges, streams
from milepost_simulator.world.server import Archive
from support.registry import register

if TYPE_CHECKING:
    from milepost_protocol.receipt import Receipt

DEVICE = "gw-world"
EPOCHS = ("00000000000000a1", "00000000000000b2")
RECEIVED = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
FIRST_MS = 1_795_000_000_000
RANGES_MAX = 8
SEQS = 120
GROUPS = 25
SIGNALS = (
    "Vehicle.TraveledDistance",
    "Vehicle.Milepost.Diagnostics.Dtc",
    "Vehicle.Milepost.Battery.CrankingMinimum",
)


class CrashError(Exception):
    """The server ends in the middle of a transaction."""


class Sender:
    """Payloads as a device might send them: any part, in any order, doubled, damaged, or with seqs reused."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._sent: list[tuple[str, bytes]] = []

    def payload(self) -> tuple[str, bytes]:
        """A topic, and what is published on it."""
        chance = self._random.random()
        if self._sent and chance < 0.2:
            return self._random.choice(self._sent)
        topic, payload = topics.up(DEVICE), self._batch(is_altered=chance > 0.93)
        if 0.88 < chance <= 0.9:
            payload = self._random.randbytes(60)
        elif 0.85 < chance <= 0.88:
            # Sound at its outside, so that its seqs are known, and nonsense within.
            header = read_header(payload)
            payload = wrap(header.encoding, header.epoch, header.first, header.last, b"nonsense")
        elif 0.83 < chance <= 0.85:
            payload = encode_batch(self._random_batch("gw-other", is_altered=False))
        self._sent.append((topic, payload))
        return topic, payload

    def _batch(self, *, is_altered: bool) -> bytes:
        return encode_batch(self._random_batch(DEVICE, is_altered=is_altered))

    def _random_batch(self, device: str, *, is_altered: bool) -> Batch:
        first = self._random.randint(1, SEQS)
        last = min(SEQS, first + self._random.choice((0, 3, 10, 40)))
        dropped = self._random.random() < 0.3
        low = self._random.randint(first, last)
        high = self._random.randint(low, last)
        missing = set(range(low, high + 1)) if dropped else set()
        samples = [self._sample(seq, is_altered) for seq in range(first, last + 1) if seq not in missing]
        lost = [self._gap(low, high)] if dropped else []
        return Batch.of(device, self._random.choice(EPOCHS), samples, lost, sent_ms=FIRST_MS)

    def _sample(self, seq: int, is_altered: bool) -> Sample:
        signal = SIGNALS[seq % len(SIGNALS)]
        number = seq + (7 if is_altered else 0)
        value = (1_000 + number, f"P{number:04d} pending", number / 100)[seq % len(SIGNALS)]
        return Sample(seq, FIRST_MS + 1000 * seq, TimeTrust.SYNCED, signal, value)

    def _gap(self, low: int, high: int) -> Gap:
        counts: dict[str, int] = {}
        for seq in range(low, high + 1):
            name = catalogue()[SIGNALS[seq % len(SIGNALS)]].signal_class.value
            counts[name] = counts.get(name, 0) + 1
        return Gap(low, high, self._random.choice(list(GapReason)), tuple(counts.items()))


class Real:
    """The server's own commit path on SQLite."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._backup = path.with_name("backup.db")
        self.store: Store = open_store(f"sqlite:///{path}")

    async def commit(self, group: list[tuple[str, bytes]], *, crashes: bool) -> list[tuple[str, Receipt]]:
        opened = [open_arrival(Arrival(topic, payload, RECEIVED)) for topic, payload in group]
        limits = CommitLimits(ranges_max=RANGES_MAX, quarantine_held_max=10_000)
        async with self.store.write() as connection:
            projector = Projector(catalogue(), future_s_max=300)
            outcome = await GroupCommit(connection, projector, limits, RECEIVED).run(opened)
            if crashes:
                raise CrashError
        return sorted(outcome.receipts, key=lambda told: told[1].epoch)

    async def back_up(self) -> None:
        await self.store.close()
        shutil.copy(self._path, self._backup)
        self.store = open_store(f"sqlite:///{self._path}")

    async def restore(self) -> None:
        await self.store.close()
        for log in ("-wal", "-shm"):
            self._path.with_name(f"{self._path.name}{log}").unlink(missing_ok=True)
        shutil.copy(self._backup, self._path)
        self.store = open_store(f"sqlite:///{self._path}")

    async def rows(self, query: Any) -> list[tuple[Any, ...]]:
        async with self.store.read() as connection:
            found = await connection.execute(query.execution_options(across_dealers="a test looks"))
            return [tuple(row) for row in found]

    async def holds(self) -> dict[str, object]:
        """All that is compared, in one shape."""
        coverage = await self.rows(select(streams.c.epoch, streams.c.watermark, streams.c.id))
        names = {stream_id: epoch for epoch, _, stream_id in coverage}
        ranges = stream_ranges.c
        rows = await self.rows(select(ranges.stream_id, ranges.first_seq, ranges.last_seq))
        stored = await self.rows(
            select(
                readings.c.stream_id,
                readings.c.seq,
                readings.c.signal,
                readings.c.value_num,
                readings.c.value_text,
                readings.c.time_ms,
                readings.c.trust,
            )
        )
        lost = await self.rows(
            select(gaps.c.stream_id, gaps.c.first_seq, gaps.c.last_seq, gaps.c.reason, gaps.c.counts)
        )
        held = await self.rows(select(quarantine.c.reason, quarantine.c.payload))
        return {
            "watermarks": sorted((epoch, watermark) for epoch, watermark, _ in coverage),
            "ranges": sorted((names[stream_id], low, high) for stream_id, low, high in rows),
            "samples": sorted((names[row[0]], *row[1:]) for row in stored),
            "gaps": sorted((names[row[0]], *row[1:4], sum(row[4].values())) for row in lost),
            "quarantine": sorted(held),
        }


class Model:
    """The simulator's server."""

    def __init__(self) -> None:
        self.archive = Archive(RANGES_MAX)
        self._backup = self.archive.copy()

    def commit(self, group: list[tuple[str, bytes]], *, crashes: bool) -> list[tuple[str, Receipt]]:
        if crashes:
            self.archive.copy().commit(group)
            raise CrashError
        return sorted(self.archive.commit(group), key=lambda told: told[1].epoch)

    def back_up(self) -> None:
        self._backup = self.archive.copy()

    def restore(self) -> None:
        self.archive = self._backup.copy()

    def holds(self) -> dict[str, object]:
        """See ``Real.holds``."""
        known = {epoch: stream for (_, epoch), stream in self.archive.streams.items()}
        return {
            "watermarks": sorted((epoch, stream.watermark) for epoch, stream in known.items()),
            "ranges": sorted((epoch, *span) for epoch, stream in known.items() for span in stream.above),
            "samples": sorted(
                (epoch, *_columns(sample))
                for epoch, stream in known.items()
                for sample in stream.samples.values()
            ),
            "gaps": sorted(
                (
                    epoch,
                    spans[0][0],
                    spans[-1][1],
                    gap.reason.value,
                    sum(high - low + 1 for low, high in spans),
                )
                for epoch, stream in known.items()
                for gap, spans in stream.gaps
            ),
            "quarantine": sorted(self.archive.quarantine),
        }


def _columns(sample: Sample) -> tuple[object, ...]:
    text = sample.value if isinstance(sample.value, str) else None
    number = None if isinstance(sample.value, str) else float(sample.value)
    return sample.seq, sample.signal, number, text, sample.time_ms, sample.trust.value


@pytest.mark.parametrize("seed", range(10))
async def test_model_and_ingest_come_to_the_same(seed: int, newest_sqlite_url: str) -> None:
    random = Random(seed)
    sender = Sender(random)
    real, model = Real(Path(newest_sqlite_url.removeprefix("sqlite:///"))), Model()
    try:
        await register(real.store, DEVICE)
        await register(real.store, "gw-other", vin="WAUZZZ8K9BA123456", dealer_id=1)
        await real.back_up()
        model.back_up()
        for _ in range(GROUPS):
            group = [sender.payload() for _ in range(random.choice((1, 1, 2, 6)))]
            crashes = random.random() < 0.15
            with contextlib.suppress(CrashError):
                expected = model.commit(group, crashes=crashes)
            with contextlib.suppress(CrashError):
                told = await real.commit(group, crashes=crashes)
                assert told == expected
            if (chance := random.random()) < 0.06:
                await real.restore()
                model.restore()
            elif chance < 0.12:
                await real.back_up()
                model.back_up()
        assert await real.holds() == model.holds()
    finally:
        await real.store.close()


def test_the_payloads_are_of_every_kind() -> None:
    """Otherwise the two could agree on nothing in particular."""
    held: set[str] = set()
    gaps_seen = 0
    for seed in range(16):
        model, sender = Model(), Sender(Random(seed))
        for _ in range(GROUPS):
            model.commit([sender.payload()], crashes=False)
        held |= {reason for reason, _ in model.archive.quarantine}
        gaps_seen += sum(bool(stream.gaps and stream.samples) for stream in model.archive.streams.values())
    assert {"seq-reused", "device", "frame"} < held
    assert held & {"encoding", "body"}
    assert gaps_seen > 16
