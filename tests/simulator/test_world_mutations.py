"""The checkers can fail: an agent or a server that breaks a promise is caught, each in its own way."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from milepost_agent.buffer import blocks, cutting, eviction
from milepost_agent.buffer.store import BufferStore
from milepost_agent.clock import ClockReading
from milepost_agent.power.gate import Gate
from milepost_agent.readings import Reading
from milepost_agent.remote import overlay, remote
from milepost_agent.remote.remote import Remote
from milepost_agent.settings import Config
from milepost_agent.uplink.uplink import Uplink
from milepost_protocol import topics
from milepost_protocol.desired import Desired
from milepost_protocol.receipt import encode_receipt
from milepost_protocol.samples import TimeTrust
from milepost_simulator.world import history
from milepost_simulator.world.car import Script
from milepost_simulator.world.files import WorldFiles
from milepost_simulator.world.history import play
from milepost_simulator.world.ingest import Ingest, Pace
from milepost_simulator.world.scenario import Fault, Scenario
from milepost_simulator.world.witness import Witness
from milepost_simulator.world.world import World

SEEDS = range(20)
QUICK = {
    "buffer": {"commit_interval_s": 2.0, "commit_samples_max": 50},
    "uplink": {"batch_samples_min": 1, "batch_wait_s": 1.0, "receipt_timeout_s": 3.0, "reconnect_s_max": 2.0},
}


def violations(seed: int, *faults: Fault, **rest: Any) -> Sequence[str]:
    """What a history with these faults breaks."""
    return play(
        Scenario(seed, **{"duration_s": 60.0, "settings": QUICK, "faults": faults, **rest})
    ).violations


def first_told(*faults: Fault, **rest: Any) -> str:
    """The violations of the first of a few histories that has any."""
    return "\n".join(next(filter(None, (violations(seed, *faults, **rest) for seed in SEEDS)), ()))


CUTS = tuple(
    Fault(at_s, "power_cut", {"after_calls": calls, "down_s": 1.0})
    for at_s, calls in ((10.0, 7), (20.0, 31), (30.0, 12), (40.0, 55))
)
KILLS = tuple(Fault(cut.at_s, "kill", cut.args) for cut in CUTS)
SERVER_CRASHES = tuple(Fault(5.0 + 7.1 * n, "server_crash", {"for_s": 2.0}) for n in range(6))
RESTORE = (Fault(10.0, "back_up"), Fault(40.0, "restore", {"for_s": 1.0}))


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken agent need not be waited for as long as a slow one."""
    monkeypatch.setattr(history, "DRAIN_S_MAX", 60.0)


@pytest.mark.parametrize("faults", [(), CUTS, KILLS, SERVER_CRASHES, RESTORE])
def test_without_a_mutation_these_histories_keep_every_promise(faults: tuple[Fault, ...]) -> None:
    assert not any(violations(seed, *faults) for seed in range(2))


def test_deleting_at_the_broker_s_word_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    async def publish(self: Uplink, link: Any, dispatch: Any, cut: cutting.Cut) -> None:
        await link.publish(topics.up("gw-world"), cut.payload)
        epoch = dispatch.epoch
        await self._recorder.ask(lambda store: store.receive(epoch, cut.last))

    monkeypatch.setattr(Uplink, "_publish", publish)
    assert "receipts cover" in first_told(Fault(10.0, "broker_forgets", {"for_s": 20.0}))


def test_a_receipt_before_the_commit_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(self: Ingest) -> None:
        group, self._waiting = self._waiting, []
        for device, receipt in self.archive.copy().commit(group):
            self._tell(device, encode_receipt(receipt))
        self._later(self._pace.commit_s, lambda: self._commit(group))

    monkeypatch.setattr(Ingest, "_begin", begin)
    # The agent takes such a server for one that was restored; nobody has restored it.
    assert "restored, for no reason" in first_told(*SERVER_CRASHES, pace=Pace(commit_s=(1.0, 3.0)))


def without_sync(connections: Callable[..., Any]) -> Callable[..., Any]:
    def made(self: Witness, mount: Any) -> Callable[[Any], type[sqlite3.Connection]]:
        classes = connections(self, mount)

        def unsynced(path: Any) -> type[sqlite3.Connection]:
            class Unsynced(classes(path)):
                def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
                    return super().execute(sql.replace("= FULL", "= OFF"), parameters)

            return Unsynced

        return unsynced

    return made


def test_commits_without_sync_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Witness, "connections", without_sync(Witness.connections))
    assert "was given out up to" in first_told(*CUTS)


def test_seqs_given_out_twice_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # Every file that is made anew takes the same epoch, and what was given out before is forgotten.
    monkeypatch.setattr(World, "entropy", lambda self, size: bytes(size))
    monkeypatch.setattr(WorldFiles, "read_text", lambda self, path: None)
    monkeypatch.setattr(World, "_forgives", lambda self: False)
    faults = (Fault(20.0, "restart", {"down_s": 10.0}), Fault(26.0, "vanish"))
    assert "now the buffer has" in first_told(*faults)


def test_a_restore_that_is_papered_over_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def rewind(self: BufferStore, epoch: str, seq: int) -> None:
        """Say nothing of what is gone."""

    monkeypatch.setattr(BufferStore, "rewind", rewind)
    assert "are nowhere" in first_told(*RESTORE)


def test_a_value_that_changes_on_its_way_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    original = cutting.unpack

    def unpack(payload: bytes, first: int) -> Sequence[Any]:
        rows = original(payload, first)
        return [row._replace(value="P0000") if row.signal.endswith(".Dtc") else row for row in rows]

    monkeypatch.setattr(cutting, "unpack", unpack)
    assert "at the server, was stored as" in first_told()


def commit_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    original = BufferStore.commit

    def commit(self: BufferStore, readings: Sequence[Any], *args: Any, **kwargs: Any) -> int:
        last = original(self, readings, *args, **kwargs)
        return original(self, readings, *args, **kwargs) if len(readings) > 3 else last

    monkeypatch.setattr(BufferStore, "commit", commit)


def test_a_commit_that_is_stored_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    commit_twice(monkeypatch)
    found = first_told()
    assert "is stored twice, or was never read" in found
    assert "are at the server twice" in found


FINE = {
    "script": Script(interval_s=0.5, burst=20, weights=(1, 0, 0, 0, 0, 0)),
    "settings": {"buffer": {"commit_interval_s": 10.0, "commit_samples_max": 1000}},
}
"""Enough of the series in a commit to be numbered by tier where the buffer is filling."""


def test_a_series_that_is_numbered_by_tier_is_in_order_and_stored_twice_it_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BufferStore, "is_filling", lambda self: True)
    assert not violations(1, **FINE)
    commit_twice(monkeypatch)
    assert "is stored twice, or was never read" in first_told(**FINE)


def test_a_series_that_is_numbered_by_tier_and_lies_about_its_order_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BufferStore, "is_filling", lambda self: True)
    original = blocks.stamp

    def stamp(readings: Sequence[Reading], *args: Any, **kwargs: Any) -> Sequence[Any]:
        mirrored = zip(readings, reversed(readings), strict=True)
        return original([row._replace(mono_s=other.mono_s) for row, other in mirrored], *args, **kwargs)

    monkeypatch.setattr(blocks, "stamp", stamp)
    assert "is stored twice, or was never read" in first_told(**FINE)


def test_a_wrong_repair_of_times_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def repair_ms(boot: str, offset_ms: int, now: ClockReading) -> int | None:
        return 5_000 if now.trust is not TimeTrust.UNTRUSTED else None

    monkeypatch.setattr(cutting, "repair_ms", repair_ms)
    faults = (Fault(0.0, "clock_1970"), Fault(5.0, "outage", {"for_s": 40.0}), Fault(30.0, "clock_sync"))
    assert "from its true time" in first_told(*faults)


def test_evicting_what_is_worth_more_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eviction.policy, "TIERS", tuple(reversed(eviction.policy.TIERS)))

    script = Script(interval_s=1.0, burst=20, text_characters=240, weights=(1, 3, 1, 1, 3, 1))
    outage = Fault(1.0, "outage", {"for_s": 55.0})
    assert "is dropped for room" in first_told(outage, script=script, buffer_bytes_max=640 * 1024)


def test_a_buffer_over_its_cap_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setattr(eviction.Evictor, "make_room", lambda self, incoming, disk: incoming)
    script = Script(interval_s=0.5, burst=20, text_characters=240, weights=(0, 1, 0, 0, 1, 1))
    outage = Fault(1.0, "outage", {"for_s": 55.0})
    assert "over the cap" in first_told(outage, script=script, buffer_bytes_max=640 * 1024)


def test_an_uplink_that_falls_asleep_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Uplink, "wake", lambda self: None)
    monkeypatch.setattr(Uplink, "_sleep_until", lambda self, at_s, now_s: self._wake.wait())
    assert "is not drained" in first_told()


def test_a_task_that_dies_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(*_: Any) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(Uplink, "_take", explode)
    assert "RuntimeError: a mistake" in first_told()


EMPTY_BATTERY = (Fault(5.0, "car_off", {"for_s": 50.0}), Fault(6.0, "battery", {"rest_v": 11.5}))
SPARING = QUICK | {
    "power": {"settle_s": 0, "confirm_s": 0, "rest_look_s": 0.5, "sleep_look_s": 2, "event_s_max": 5}
}


def test_a_parked_car_with_an_empty_battery_keeps_every_promise() -> None:
    assert not any(violations(seed, *EMPTY_BATTERY, settings=SPARING) for seed in range(5))


def test_a_connection_that_draws_on_an_empty_battery_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gate, "set", lambda self, *, is_open: None)
    assert "connected, sleeping for" in first_told(*EMPTY_BATTERY, settings=SPARING)


DESIRES = (
    Fault(5.0, "desire", {"settings": {"buffer": {"commit_interval_s": 1.0}}}),
    Fault(25.0, "desire", {"settings": {"uplink": {"host": "elsewhere"}}}),
)


def test_a_device_that_is_configured_from_afar_keeps_every_promise() -> None:
    assert not any(violations(seed, *DESIRES, *CUTS) for seed in range(5))


def test_a_configuration_that_a_power_cut_takes_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_text(self: WorldFiles, path: Path, text: str) -> None:
        """Write it, and leave it to the kernel when it reaches the disk."""
        self.remove(path)
        self._mount.write(self._mount.create(str(path)), 0, text.encode())

    monkeypatch.setattr(WorldFiles, "write_text", write_text)
    assert "revision 1 was in force, now it is 0" in first_told(*DESIRES, *CUTS)


def test_a_refusal_that_is_not_told_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Remote, "_refuse", lambda self, refusal: None)
    assert "configuration 2 is not answered" in first_told(*DESIRES)


def test_a_configuration_that_is_half_applied_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = overlay.laid_over

    def half(local: Config, desired: Desired) -> Config:
        return whole(local, replace(desired, settings=dict([*desired.settings.items()][:1])))

    monkeypatch.setattr(remote, "laid_over", half)
    both = {"buffer": {"commit_interval_s": 1.0}, "log": {"level": "debug"}}
    assert "in force is" in first_told(Fault(5.0, "desire", {"settings": both}))
