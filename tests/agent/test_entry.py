"""Entries by hand: what is read from a line, what is believed, and when it is said to be stored."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import socket
import stat
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from milepost_agent import paths
from milepost_agent.buffer.recorder import Recorder, RecorderLimits, Surroundings
from milepost_agent.derive.distance import Belief
from milepost_agent.edge import Edge, EdgeConfig
from milepost_agent.entry.client import enter
from milepost_agent.entry.desk import ENTRIES_MAX, EntryDesk
from milepost_agent.entry.endpoint import CLIENTS_MAX, WAITING_MAX, EntryServer, Peers, peers
from milepost_agent.entry.plausible import UNSEEN_M_MAX, doubt
from milepost_agent.entry.request import LINE_BYTES_MAX, OdometerEntry, ServiceDone, read_entry
from milepost_agent.errors import ConfigError, EntryError, StoreIoError
from milepost_agent.readings import Reading
from milepost_protocol import service
from milepost_protocol.samples import TimeTrust
from support.stores import CLOCK, DISK, all_batches, open_store
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from milepost_protocol.samples import Sample

NOW = CLOCK.read()
TODAY = dt.datetime.fromtimestamp(NOW.wall_ms / 1000, dt.UTC)
EVERYBODY = Peers(frozenset(), frozenset())


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def reason(entry: bytes) -> str:
    with pytest.raises(EntryError) as caught:
        read_entry(entry, NOW)
    return caught.value.reason


def test_an_odometer_in_kilometres_is_taken_as_of_now() -> None:
    assert read_entry(line(odometer_km=123456.7), NOW) == OdometerEntry(123_456_700, 300.0, None, False)
    today = TODAY.date().isoformat()
    entry = read_entry(line(odometer_km=5, at=today, sigma_m=50, force=True), NOW)
    assert entry == OdometerEntry(5_000, 50.0, None, True)


def test_a_service_keeps_its_day_and_a_past_day_is_its_noon() -> None:
    day = TODAY.date() - dt.timedelta(days=9)
    noon_ms = int(dt.datetime.combine(day, dt.time(12, tzinfo=dt.UTC)).timestamp() * 1000)
    entry = read_entry(line(service="engine-oil", odometer_km=61000, at=day.isoformat(), note=" own "), NOW)
    assert entry == ServiceDone(service.ServiceEntry("engine-oil", 61_000_000, "own"), noon_ms, False)


def test_a_time_of_the_last_minutes_is_now_and_an_earlier_one_is_not() -> None:
    for minutes, is_now in ((-4, True), (14, True), (16, False)):
        at = TODAY - dt.timedelta(minutes=minutes)
        entry = read_entry(line(odometer_km=5, at=at.isoformat()), NOW)
        assert (entry.at_ms is None) is is_now, minutes


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (b"", "syntax"),
        (b"odometer 5", "syntax"),
        (b"[" * 5000, "syntax"),
        (b"\xff", "syntax"),
        (b"5", "syntax"),
        (line(), "syntax"),
        (line(odometer=5), "syntax"),
        (line(odometer_km=5, note="x"), "syntax"),
        (line(service="oil", sigma_m=5), "syntax"),
        (line(odometer_km="5"), "value"),
        (line(odometer_km=-1), "value"),
        (line(odometer_km=4_000_001), "value"),
        (b'{"odometer_km": NaN}', "value"),
        (b'{"odometer_km": 1e999}', "value"),
        (line(odometer_km=True), "value"),
        (line(odometer_km=5, sigma_m=-1), "value"),
        (line(odometer_km=5, force=1), "value"),
        (line(service="Engine Oil"), "value"),
        (line(service=5), "value"),
        (line(service="oil", note="two\nlines"), "value"),
        (line(odometer_km=5, at="yesterday"), "time"),
        (line(odometer_km=5, at="2019-12-31"), "time"),
        (line(odometer_km=5, at="2999-01-01"), "time"),
        (line(odometer_km=5, at=5), "value"),
    ],
)
def test_what_is_no_entry_is_refused_with_its_reason(entry: bytes, why: str) -> None:
    assert reason(entry) == why


FIELDS = st.sampled_from(["odometer_km", "service", "at", "note", "sigma_m", "force", "else"])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**400), 10**400)
    | st.floats()
    | st.text()
    | st.sampled_from(["engine-oil", "2026-11-20", "2026-11-20T08:30:00+01:00", "9999-12-31T23:59:59-23:59"]),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)


@given(st.binary(max_size=60) | st.dictionaries(FIELDS, VALUES).map(lambda entry: line(**entry)))
@example(line(odometer_km=10**400))
@example(line(odometer_km=5, sigma_m=10**400))
def test_whatever_comes_in_nothing_else_is_raised(entry: bytes) -> None:
    with contextlib.suppress(EntryError):
        read_entry(entry, NOW)


def test_a_clock_that_is_not_set_tells_no_day() -> None:
    unset = NOW._replace(trust=TimeTrust.UNTRUSTED)
    with pytest.raises(EntryError, match="clock is not set"):
        read_entry(line(odometer_km=5, at=TODAY.date().isoformat()), unset)
    assert read_entry(line(odometer_km=5), unset)


CARS_OWN, ANCHORED = Belief(123_456_700, 0.0, True), Belief(123_456_700, 4_000.0, False)


@pytest.mark.parametrize(
    ("known", "entered_km", "words"),
    [
        (None, 0.0, ""),
        (CARS_OWN, 123_457, ""),
        (CARS_OWN, 123_400, "the car itself reports 123,457 km"),
        (CARS_OWN, 124_000, "the car itself reports"),
        (CARS_OWN, 76_712, "was this in miles?"),
        (CARS_OWN, 198_684, "was this in kilometres, and taken for miles?"),
        (ANCHORED, 123_445, ""),
        (ANCHORED, 123_400, "it should show 123,457 km by now"),
        (ANCHORED, 76_710, "was this in miles?"),
        (ANCHORED, 135_000, ""),
        (ANCHORED, 1_234_567, "it should show"),
    ],
)
def test_what_the_odometer_cannot_show_is_doubted(
    known: Belief | None, entered_km: float, words: str
) -> None:
    why = doubt(1000 * entered_km, known, is_past=False)
    assert (words in why) if words else not why


def test_a_reading_of_the_past_may_be_lower_and_not_higher() -> None:
    assert not doubt(50_000_000, CARS_OWN, is_past=True)
    assert doubt(130_000_000, ANCHORED, is_past=True)
    assert doubt(ANCHORED.odometer_m + UNSEEN_M_MAX + 20_000, ANCHORED, is_past=False)


class Shop:
    """An edge, a recorder over a real store, a desk, and its socket."""

    def __init__(self, folder: Path, config: EdgeConfig | None = None, admitted: Peers = EVERYBODY) -> None:
        self.edge = Edge(config)
        self.path = folder / "buffer.db"
        self.socket = folder / "entry.sock"
        around = Surroundings(self.edge.state, CLOCK.read, lambda: DISK)
        # Nothing but an entry makes it commit.
        limits = RecorderLimits(commit_interval_s=3600.0, commit_samples_max=4096, memory_samples_max=5000)
        self.is_broken = False
        self.recorder = Recorder(self._open, around, limits)
        self.desk = EntryDesk(lambda: self.edge, self.recorder, CLOCK.read)
        self.server = EntryServer(self.socket, admitted, self.desk)

    def _open(self) -> Any:
        if self.is_broken:
            raise StoreIoError(str(self.path), "the disk refuses")
        return open_store(self.path)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Shop]:
        tasks = [asyncio.create_task(run()) for run in (self.recorder.run, self.server.run)]
        try:
            await until(self.socket.is_socket, "the socket")
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self.recorder.finish()

    async def enter(self, **fields: object) -> dict[str, Any]:
        return await asyncio.to_thread(enter, self.socket, fields)

    def stored(self) -> list[Sample]:
        store = open_store(self.path)
        try:
            return [s for batch in all_batches(store, store.current.epoch) for s in batch.samples()]
        finally:
            store.close()


async def test_an_entry_is_on_the_disk_when_it_is_answered(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    async with shop.open():
        answer = await shop.enter(odometer_km=123456.7, sigma_m=50)
        assert answer == {"odometer_km": 123456.7, "at_ms": NOW.wall_ms, "anchored": True}
        committed = await shop.recorder.ask(lambda store: store.state())
        assert shop.recorder.pending == 0
        assert committed is not None
        assert committed["distance"]["anchor"]["odometer_m"] == 123_456_700
    assert [(s.signal, s.value) for s in sorted(shop.stored(), key=lambda sample: sample.seq)] == [
        (paths.ODOMETER_SOURCE, "entered"),
        (paths.ODOMETER_UNCERTAINTY, 50.0),
        (paths.ODOMETER, 123_456_700),
    ]


async def test_distance_goes_on_from_the_entry_and_says_so(tmp_path: Path) -> None:
    shop = Shop(tmp_path, EdgeConfig(anchor_odometer_m=120e6, anchor_at="2026-01-01"))
    async with shop.open():
        await shop.enter(odometer_km=123456.7)
        samples = [
            s
            for second in range(601)
            for s in shop.edge.feed(Reading(paths.SPEED, 72.0, NOW.mono_s + second))
        ]
    sources = [s.value for s in samples if s.signal == paths.ODOMETER_SOURCE]
    assert sources == ["anchored"], "what follows is an estimate again"
    assert shop.edge.odometer is not None
    assert shop.edge.odometer.odometer_m == pytest.approx(123_468_700)
    assert 300 < shop.edge.odometer.sigma_m < 500


async def test_the_cars_own_word_stays_the_better_one(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.edge.feed(Reading(paths.ODOMETER, 123_456_700, NOW.mono_s - 1))
    async with shop.open():
        with pytest.raises(EntryError, match="the car itself reports 123,457 km"):
            await shop.enter(odometer_km=120_000)
        assert shop.edge.odometer == Belief(123_456_700, 0.0, is_cars_own=True)
        forced = await shop.enter(odometer_km=120_000, force=True)
        assert not forced["anchored"]
        assert shop.edge.odometer == Belief(123_456_700, 0.0, is_cars_own=True)
        assert shop.desk.facts() == {"taken": 1, "refused": {"implausible": 1}}
    told = shop.edge.feed(Reading(paths.ODOMETER, 123_456_800, NOW.mono_s + 1))
    assert (paths.ODOMETER_SOURCE, "car") in [(s.signal, s.value) for s in told]


async def test_an_odometer_of_the_past_is_stored_with_its_time_and_moves_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    day = TODAY - dt.timedelta(days=40)
    async with shop.open():
        answer = await shop.enter(odometer_km=100_000, at=day.isoformat())
        assert not answer["anchored"]
        assert shop.edge.odometer is None
    times = {sample.time_ms for sample in shop.stored()}
    assert len(times) == 1
    assert abs(times.pop() - day.timestamp() * 1000) <= 1


async def test_a_service_is_stored_as_one_sample_of_its_day(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    day = (TODAY - dt.timedelta(days=3)).date()
    async with shop.open():
        await shop.enter(service="engine-oil", odometer_km=61000, at=day.isoformat(), note="at home")
    (sample,) = shop.stored()
    assert (sample.signal, sample.value) == (service.SIGNAL, "engine-oil 61000000 at home")
    assert dt.datetime.fromtimestamp(sample.time_ms / 1000, dt.UTC).date() == day


async def test_no_answer_says_stored_while_the_disk_refuses_and_nothing_is_lost(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.is_broken = True
    async with shop.open():
        with pytest.raises(EntryError, match="the disk refuses") as caught:
            await shop.enter(odometer_km=100_000)
        assert caught.value.reason == "not-stored"
        shop.is_broken = False
        await shop.enter(odometer_km=100_000)
    assert [s.value for s in shop.stored() if s.signal == paths.ODOMETER] == [100_000_000] * 2


async def test_many_at_once_are_all_answered_for_what_they_entered(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    async with shop.open():
        answers = await asyncio.gather(*(shop.enter(service=f"item-{n}") for n in range(3 * CLIENTS_MAX)))
    assert [answer["service"] for answer in answers] == [f"item-{n}" for n in range(3 * CLIENTS_MAX)]
    assert {s.value for s in shop.stored()} == {f"item-{n} -" for n in range(3 * CLIENTS_MAX)}


async def test_idle_connections_take_no_more_than_their_places(tmp_path: Path) -> None:
    async with Shop(tmp_path).open() as shop:
        idle = [await asyncio.open_unix_connection(shop.socket) for _ in range(CLIENTS_MAX + WAITING_MAX)]
        for _ in range(3):
            with pytest.raises(EntryError, match="try again") as caught:
                await shop.enter(service="tyres")
            assert caught.value.reason == "busy"
        for _, writer in idle:
            writer.close()
        await until(lambda: not shop.server.connections, "the end of all connections")
        assert await shop.enter(service="tyres")
        assert shop.desk.facts() == {"taken": 1, "refused": {"busy": 3}}


async def test_a_program_that_enters_without_end_is_held_up(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    async with shop.open():
        answers = [await shop.desk.take(line(service="tyres")) for _ in range(ENTRIES_MAX + 1)]
    assert all("stored" in answer for answer in answers[:-1])
    assert answers[-1]["error"] == {
        "reason": "busy",
        "message": "too many entries in a row; the next is taken in 60 s",
    }


async def test_one_connection_may_enter_again_after_an_error(tmp_path: Path) -> None:
    async with Shop(tmp_path).open() as shop:
        reader, writer = await asyncio.open_unix_connection(shop.socket)
        writer.write(b"nonsense\n" + line(service="tyres") + b"\n")
        assert json.loads(await reader.readline())["error"]["reason"] == "syntax"
        assert json.loads(await reader.readline())["stored"]["service"] == "tyres"
        writer.write(b"x" * 2 * LINE_BYTES_MAX + b"\n")
        assert "at most" in json.loads(await reader.readline())["error"]["message"]
        assert await reader.read() == b""
        writer.close()


async def test_only_who_is_admitted_may_enter(tmp_path: Path) -> None:
    stranger = Shop(tmp_path, admitted=Peers(frozenset({os.getuid() + 1}), frozenset()))
    async with stranger.open():
        with pytest.raises(EntryError, match="you may not enter") as caught:
            await stranger.enter(service="tyres")
        assert caught.value.reason == "peer"
        assert stranger.desk.facts() == {"taken": 0, "refused": {"peer": 1}}
    known = Shop(tmp_path, admitted=Peers(frozenset(), frozenset({os.getgid()})))
    async with known.open():
        assert await known.enter(service="tyres")
        assert stat.S_IMODE(known.socket.stat().st_mode) == 0o660
    assert not known.socket.exists()


def test_peers_are_named_or_numbered() -> None:
    assert peers(["root", "1234"], ["5"]) == Peers(frozenset({0, 1234}), frozenset({5}))
    with pytest.raises(ConfigError, match=r"entry\.users"):
        peers(["nobody-of-that-name"], [])
    with pytest.raises(ConfigError, match=r"entry\.groups"):
        peers([], ["no-group-of-that-name"])


def test_without_an_agent_the_client_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EntryError, match="milepost-agent run"):
        enter(tmp_path / "none", {"odometer_km": 5})
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        with pytest.raises(EntryError):
            enter(tmp_path / "deaf", {"odometer_km": 5})
