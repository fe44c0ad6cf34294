"""What a committed group leaves in the database, and what devices are told: on both databases."""

from __future__ import annotations

import dataclasses
import datetime as dt
import struct
import zlib

import pytest
import zstandard

from milepost_protocol.batch import Batch
from milepost_protocol.codec import encode_batch
from milepost_protocol.receipt import Receipt
from milepost_protocol.samples import Gap, GapReason, TimeTrust
from milepost_server.ingest.commit import CommitLimits
from milepost_server.store import devices
from milepost_server.store.schema import (
    batches,
    dirty_vehicles,
    gaps,
    quarantine,
    readings,
    refusals,
    vin_conflicts,
)
from support.batches import DEVICE, DTC, EPOCH, ODOMETER, batch, sample
from support.registry import OTHER_VIN, VIN, register
from support.taking import RECEIVED, Taker, arrival

SPEED = "Vehicle.Speed"
VIN_SIGNAL = "Vehicle.VehicleIdentification.VIN"


@pytest.fixture
async def taker(store) -> Taker:
    await register(store)
    return Taker(store)


def odometer(first: int, last: int) -> Batch:
    return batch(*(sample(seq, value=12_400_000 + seq) for seq in range(first, last + 1)))


async def seqs(taker: Taker) -> list[object]:
    return [row["seq"] for row in await taker.rows(readings)]


async def test_a_batch_is_archived_projected_and_receipted(taker: Taker) -> None:
    outcome = await taker.take(odometer(1, 3))
    assert taker.receipts == [(DEVICE, Receipt(EPOCH, 3))]
    assert outcome.payloads == {"committed": 1}
    (archived,) = await taker.rows(batches)
    assert archived["payload"] == encode_batch(odometer(1, 3))
    assert archived["vehicle_id"] == 1
    rows = await taker.rows(readings)
    assert [(row["seq"], row["signal"], row["value_num"], row["value_text"]) for row in rows] == [
        (seq, ODOMETER, 12_400_000.0 + seq, None) for seq in (1, 2, 3)
    ]
    assert [row["vehicle_id"] for row in await taker.rows(dirty_vehicles)] == [1]


async def test_batches_in_any_order_count_once(taker: Taker) -> None:
    await taker.take(odometer(7, 9))
    assert taker.receipt == Receipt(EPOCH, 0, ((7, 9),))
    await taker.take(odometer(1, 2), odometer(7, 9))
    assert taker.receipt == Receipt(EPOCH, 2, ((7, 9),))
    await taker.take(odometer(2, 8), odometer(1, 9))
    assert taker.receipt == Receipt(EPOCH, 9)
    assert await seqs(taker) == list(range(1, 10))
    assert len(await taker.rows(batches)) == 3  # the last one brought nothing new


async def test_a_duplicate_is_receipted_again(taker: Taker) -> None:
    await taker.take(odometer(1, 3))
    outcome = await taker.take(odometer(1, 3))
    assert outcome.payloads == {"duplicate": 1}
    assert taker.receipts == [(DEVICE, Receipt(EPOCH, 3))] * 2


async def test_receipts_of_a_group_are_one_a_stream(taker: Taker) -> None:
    await taker.take(odometer(1, 2), odometer(3, 4), odometer(5, 6))
    assert taker.receipts == [(DEVICE, Receipt(EPOCH, 6))]


async def test_epochs_of_a_device_are_apart(taker: Taker) -> None:
    other = "00000000000000aa"
    await taker.take(odometer(1, 2), batch(sample(1, value=5), epoch=other))
    assert sorted(receipt.epoch for _, receipt in taker.receipts) == [other, EPOCH]
    assert len(await taker.rows(readings)) == 3


async def test_series_stay_in_the_archive(taker: Taker) -> None:
    outcome = await taker.take(batch(sample(1, SPEED, 50.0), sample(2)))
    assert await seqs(taker) == [2]
    assert not outcome.refused


async def test_more_ranges_than_the_limit_are_dropped_and_counted(store) -> None:
    await register(store)
    taker = Taker(store, CommitLimits(ranges_max=2, quarantine_held_max=5))
    await taker.take(odometer(3, 3), odometer(5, 5))
    outcome = await taker.take(odometer(7, 7))
    assert outcome.dropped == {"ranges": 1}
    assert taker.receipt == Receipt(EPOCH, 0, ((3, 3), (5, 5)))
    await taker.take(odometer(1, 4))  # what closes a hole always gets in
    assert taker.receipt == Receipt(EPOCH, 5)


# --- Gaps -------------------------------------------------------------------------------------------------


def gap(first: int, last: int, **counts: int) -> Gap:
    return Gap(first, last, GapReason.DISK_BUDGET, tuple(counts.items()))


async def losses(taker: Taker) -> dict[str, int]:
    total: dict[str, int] = {}
    for row in await taker.rows(gaps):
        for name, number in dict(row["counts"]).items():  # type: ignore[call-overload]
            total[name] = total.get(name, 0) + number
    return total


async def test_a_gap_is_kept_with_its_reason_and_counts(taker: Taker) -> None:
    outcome = await taker.take(batch(sample(1), sample(12), gaps=(gap(2, 11, series=8, wear=2),)))
    (row,) = await taker.rows(gaps)
    assert (row["first_seq"], row["last_seq"], row["reason"]) == (2, 11, "disk_budget")
    assert row["counts"] == {"series": 8, "wear": 2}
    assert taker.receipt == Receipt(EPOCH, 12)
    assert outcome.lost == {"disk_budget": 10}


async def test_a_gap_over_stored_samples_counts_only_what_is_lost(taker: Taker) -> None:
    # The receipt for 1 to 4 was lost, and the device dropped them with the rest.
    await taker.take(batch(sample(1), sample(2), sample(3, SPEED, 50.0), sample(4, SPEED, 51.0)))
    await taker.take(batch(gaps=(gap(1, 10, odometer=2, series=8),)))
    assert await losses(taker) == {"series": 6}
    assert await seqs(taker) == [1, 2]
    assert taker.receipt == Receipt(EPOCH, 10)


async def test_a_gap_that_grew_counts_only_its_growth(taker: Taker) -> None:
    await taker.take(batch(gaps=(gap(1, 5, series=4, wear=1),)))
    await taker.take(batch(gaps=(gap(1, 9, series=7, wear=2),)))
    assert await losses(taker) == {"series": 7, "wear": 2}


async def test_a_gap_over_what_nobody_can_read_counts_the_rest_only(taker: Taker) -> None:
    await taker.take(broken(odometer(1, 4)))
    await taker.take(batch(gaps=(gap(1, 10, series=10),)))
    assert sum((await losses(taker)).values()) == 6


# --- Samples that become no reading -----------------------------------------------------------------------


def with_column(source: Batch, path: str, **changes: object) -> Batch:
    columns = [
        dataclasses.replace(column, **changes) if column.signal == path else column  # type: ignore[arg-type]
        for column in source.columns
    ]
    return dataclasses.replace(source, columns=columns)


@pytest.mark.parametrize(
    ("changes", "signal", "reason"),
    [
        ({"signal": "Vehicle.Flux"}, "Vehicle.Flux", "unknown-signal"),
        ({"unit": "km"}, ODOMETER, "unit"),
        ({"values": ["far", "farther"]}, ODOMETER, "value"),
        ({"values": [-1, -2]}, ODOMETER, "value"),
    ],
    ids=["unknown signal", "wrong unit", "wrong type", "out of bounds"],
)
async def test_refused_samples_are_counted_and_the_others_do_not_suffer(
    taker: Taker, changes: dict[str, object], signal: str, reason: str
) -> None:
    source = batch(sample(1), sample(2, DTC, "P0301 confirmed"), sample(3))
    outcome = await taker.take(with_column(source, ODOMETER, **changes))
    assert outcome.refused == {reason: 2}
    assert await seqs(taker) == [2]
    assert len(await taker.rows(batches)) == 1
    (row,) = await taker.rows(refusals)
    assert (row["signal"], row["reason"], row["samples"]) == (signal, reason, 2)
    assert taker.receipt == Receipt(EPOCH, 3)


async def test_refused_samples_of_later_batches_add_up(taker: Taker) -> None:
    for seq in (1, 2, 3):
        await taker.take(with_column(batch(sample(seq)), ODOMETER, unit="km"))
    (row,) = await taker.rows(refusals)
    assert row["samples"] == 3


async def test_a_text_with_nul_is_taken_by_both_databases(taker: Taker) -> None:
    await taker.take(batch(sample(1, DTC, "P0301\0confirmed")))
    (row,) = await taker.rows(readings)
    assert row["value_text"] == "P0301\ufffdconfirmed"


@pytest.mark.parametrize(
    ("time_ms", "plausible"),
    [
        (0, False),
        (int((RECEIVED + dt.timedelta(days=1826)).timestamp() * 1000), False),
        (int((RECEIVED + dt.timedelta(seconds=200)).timestamp() * 1000), True),
        (int((RECEIVED - dt.timedelta(days=200)).timestamp() * 1000), True),
    ],
    ids=["1970", "five years ahead", "a little ahead", "long ago"],
)
async def test_impossible_times_are_marked(taker: Taker, time_ms: int, plausible: bool) -> None:
    await taker.take(batch(sample(1, time_ms=time_ms)))
    (row,) = await taker.rows(readings)
    assert (row["time_ms"], row["time_plausible"]) == (time_ms, plausible)


# --- Whose samples they are -------------------------------------------------------------------------------


async def test_samples_belong_to_the_vehicle_of_their_time(store) -> None:
    first = await register(store)
    moved_ms = 1_795_000_005_000
    second = await register(store, "gw-2", OTHER_VIN, dealer_id=first.dealer_id, installed_at=None)
    async with store.write() as connection:
        moved = dt.datetime.fromtimestamp(moved_ms / 1000, dt.UTC)
        await devices.install(connection, first.dealer_id, DEVICE, second.vehicle_id, start_at=moved)
    taker = Taker(store)
    await taker.take(odometer(1, 8))
    found = [row["vehicle_id"] for row in await taker.rows(readings)]
    assert found == [first.vehicle_id] * 4 + [second.vehicle_id] * 4


async def test_samples_of_an_untrusted_clock_belong_to_the_vehicle_of_their_receipt(taker: Taker) -> None:
    long_before = sample(1, time_ms=1_600_000_000_000)._replace(trust=TimeTrust.UNTRUSTED)
    await taker.take(batch(long_before))
    assert len(await taker.rows(readings)) == 1


async def test_samples_of_a_device_in_no_vehicle_wait_in_the_archive(store) -> None:
    await register(store, installed_at=None)
    taker = Taker(store)
    outcome = await taker.take(odometer(1, 3))
    assert outcome.unplaced == 3
    assert await seqs(taker) == []
    assert taker.receipt == Receipt(EPOCH, 3)


async def test_another_vin_than_the_vehicles_is_flagged(taker: Taker) -> None:
    await taker.take(batch(sample(1, VIN_SIGNAL, VIN.lower())))
    assert await taker.rows(vin_conflicts) == []
    outcome = await taker.take(
        batch(sample(2, VIN_SIGNAL, OTHER_VIN)), batch(sample(3, VIN_SIGNAL, OTHER_VIN))
    )
    (row,) = await taker.rows(vin_conflicts)
    assert (row["device_id"], row["vin_reported"]) == (DEVICE, OTHER_VIN)
    assert outcome.vin_conflicts == 2


async def test_a_vin_that_does_not_parse_is_refused(taker: Taker) -> None:
    outcome = await taker.take(batch(sample(1, VIN_SIGNAL, "NOT-A-VIN"), sample(2)))
    assert outcome.refused == {"vin": 1}
    assert await seqs(taker) == [2]


# --- Quarantine -------------------------------------------------------------------------------------------


def reframed(source: Batch, body: bytes, major: int = 1) -> bytes:
    """The payload of ``source`` with another body, and a checksum that is right."""
    fields = bytearray(encode_batch(source)[:24])
    fields[2] = major
    return bytes(fields) + struct.pack(">I", zlib.crc32(body, zlib.crc32(bytes(fields)))) + body


def broken(source: Batch) -> bytes:
    return reframed(source, b"this is no body")


async def held(taker: Taker) -> list[tuple[object, object]]:
    return [(row["reason"], row["payload"]) for row in await taker.rows(quarantine)]


async def test_an_unreadable_body_is_kept_whole_and_the_receipt_passes_it(taker: Taker) -> None:
    payload = broken(odometer(1, 3))
    outcome = await taker.take(odometer(4, 5), payload, odometer(6, 7))
    assert await held(taker) == [("encoding", payload)]
    assert taker.receipt == Receipt(EPOCH, 7)
    assert outcome.payloads == {"committed": 2, "quarantined": 1}
    assert await seqs(taker) == [4, 5, 6, 7]


async def test_a_later_major_version_is_kept_whole_and_the_receipt_passes_it(taker: Taker) -> None:
    payload = reframed(odometer(1, 3), b"whatever", major=2)
    await taker.take(payload)
    assert await held(taker) == [("version", payload)]
    assert taker.receipt == Receipt(EPOCH, 3)


@pytest.mark.parametrize(
    "payload",
    [b"", b"MB", b"garbage" * 10, encode_batch(odometer(1, 3))[:-1], bytes(70_000)],
    ids=["empty", "short", "garbage", "cut", "oversized"],
)
async def test_what_has_no_header_is_kept_whole_without_a_receipt(taker: Taker, payload: bytes) -> None:
    await taker.take(payload, odometer(1, 2))
    assert await held(taker) == [("frame", payload)]
    assert taker.receipts == [(DEVICE, Receipt(EPOCH, 2))]


async def test_a_bomb_is_refused_by_its_stated_size(taker: Taker) -> None:
    bomb = bytearray(reframed(odometer(1, 3), zstandard.compress(bytes(20_000_000))))
    await taker.take(bytes(bomb))
    assert [reason for reason, _ in await held(taker)] == ["encoding"]
    assert taker.receipt == Receipt(EPOCH, 3)


async def test_a_batch_on_another_devices_topic_is_kept_with_its_reason(store, taker: Taker) -> None:
    await register(store, "gw-2", OTHER_VIN)
    await taker.take(arrival(odometer(1, 3), "milepost/v1/gw-2/up"))
    (row,) = await taker.rows(quarantine)
    assert (row["reason"], row["device_id"]) == ("device", "gw-2")
    assert "gw-000017" in str(row["detail"])
    assert await seqs(taker) == []


async def test_unknown_topics_are_kept(taker: Taker) -> None:
    await taker.take(arrival(odometer(1, 3), "milepost/v1/a b/up"), arrival(b"x", "elsewhere"))
    assert [reason for reason, _ in await held(taker)] == ["topic", "topic"]
    assert taker.receipts == []


async def test_an_unknown_device_is_kept_apart_from_all_dealers(taker: Taker) -> None:
    await taker.take(batch(sample(1), device="stranger"))
    (row,) = await taker.rows(quarantine)
    assert (row["reason"], row["dealer_id"], row["device_id"]) == ("unknown-device", None, "stranger")
    assert taker.receipts == []


async def test_a_revoked_device_is_kept_and_not_receipted(store, taker: Taker) -> None:
    async with store.write() as connection:
        await devices.revoke(connection, 1, DEVICE, now=RECEIVED)
    await taker.take(odometer(1, 3))
    (row,) = await taker.rows(quarantine)
    assert (row["reason"], row["dealer_id"]) == ("revoked", 1)
    assert taker.receipts == []


async def test_the_same_payload_is_kept_once(taker: Taker) -> None:
    payload = broken(odometer(1, 3))
    for _ in range(3):
        await taker.take(payload)
        await taker.take(b"garbage")
    assert [reason for reason, _ in await held(taker)] == ["encoding", "frame"]


async def test_a_full_quarantine_drops_without_a_receipt(store) -> None:
    await register(store)
    taker = Taker(store, CommitLimits(ranges_max=8, quarantine_held_max=1))
    await taker.take(broken(odometer(1, 1)))
    outcome = await taker.take(broken(odometer(2, 2)))
    assert outcome.dropped == {"quarantine-full": 1}
    assert taker.receipt == Receipt(EPOCH, 1)


async def test_a_seq_that_was_used_twice_is_kept_and_said(taker: Taker) -> None:
    await taker.take(odometer(1, 3))
    again = batch(sample(2, value=99), sample(3, DTC, "P0301 pending"), sample(4))
    await taker.take(again)
    (row,) = await taker.rows(quarantine)
    assert row["reason"] == "seq-reused"
    assert "seq 2 was stored as Vehicle.TraveledDistance = 12400002" in str(row["detail"])
    assert taker.receipt == Receipt(EPOCH, 4)
    assert await seqs(taker) == [1, 2, 3]


async def test_a_time_that_was_repaired_is_no_contradiction(taker: Taker) -> None:
    await taker.take(batch(sample(1, time_ms=5), sample(2)))
    outcome = await taker.take(batch(sample(1), sample(2), sample(3)))
    assert outcome.payloads == {"committed": 1}
    assert await seqs(taker) == [1, 2, 3]
