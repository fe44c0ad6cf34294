"""Golden payloads: frozen bytes that every later version, and every other implementation, must read alike.

``python tests/protocol/test_golden.py`` writes files that are missing; it never changes one that is there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from importlib import resources
from pathlib import Path

import pytest

import milepost_protocol
from milepost_protocol.batch import Batch
from milepost_protocol.codec import decode_batch, encode_batch, unpack_batch
from milepost_protocol.compression import DICTIONARY_1_FILE
from milepost_protocol.desired import Consent, Desired, Profile, read_desired
from milepost_protocol.device_documents import Birth, Farewell, ProfileReport, Refusal, Reported
from milepost_protocol.device_schema import check_desired, read_reported, read_state
from milepost_protocol.frame import Encoding
from milepost_protocol.receipt import Receipt, decode_receipt, encode_receipt
from milepost_protocol.samples import Gap, GapReason, Sample, TimeTrust

GOLDEN = Path(__file__).resolve().parents[2] / "protocol" / "golden"
DICTIONARY_1_SHA256 = "b265d4c82811e5293d829e4c8b84695e60e70716cf0b8ede21d9519db5899bbc"

EPOCH = "9f3a1c77e0b24d51"
T0_MS = 1_795_000_000_000


def _trip() -> Batch:
    rows = [
        ("Vehicle.TraveledDistance", 48_211_300, TimeTrust.RTC),
        ("Vehicle.Milepost.Battery.CrankingMinimum", 10.12, TimeTrust.RTC),
        ("Vehicle.Milepost.Trip.IsOngoing", True, TimeTrust.REPAIRED),
        ("Vehicle.Milepost.Diagnostics.Dtc", "P0301 pending", TimeTrust.SYNCED),
        ("Vehicle.TraveledDistance", 48_219_900, TimeTrust.SYNCED),
        ("Vehicle.Chassis.Axle.Row1.Wheel.Left.Brake.PadWear", 41, TimeTrust.SYNCED),
        ("Vehicle.Milepost.Trip.IsOngoing", False, TimeTrust.SYNCED),
        ("Vehicle.Milepost.Battery.CrankingMinimum", 10.08, TimeTrust.SYNCED),
    ]
    samples = [
        Sample(12_001 + index, T0_MS + 61_500 * index, trust, signal, value)
        for index, (signal, value, trust) in enumerate(rows)
    ]
    return Batch.of("gw-000017", EPOCH, samples, sent_ms=T0_MS + 600_000)


def _gaps() -> Batch:
    kept = Sample(901, T0_MS, TimeTrust.UNTRUSTED, "Vehicle.TraveledDistance", 48_000_000)
    gaps = [
        Gap(1, 900, GapReason.DISK_BUDGET, (("series", 800), ("counter", 100))),
        Gap(902, 902, GapReason.CORRUPT, (("unknown", 1),)),
    ]
    return Batch.of("gw-000017", EPOCH, [kept], gaps, sent_ms=T0_MS)


BATCHES = {
    "batch-v1-trip-plain": (_trip(), Encoding.PLAIN),
    "batch-v1-trip-zstd": (_trip(), Encoding.ZSTD),
    "batch-v1-trip-zstd-dictionary-1": (_trip(), Encoding.ZSTD_DICTIONARY_1),
    "batch-v1-gaps-plain": (_gaps(), Encoding.PLAIN),
}
SPOKEN = {
    "state-v1-birth": Birth(
        device="gw-000017",
        run="5b0c3a9de1f20476",
        connection=3,
        agent="0.1.0",
        vss="6.0",
        epoch=EPOCH,
        catalogue="6f1d2c3b4a596877",
        signals=("Vehicle.TraveledDistance", "Vehicle.Milepost.Diagnostics.Dtc"),
        sources=("elm327",),
        clock="synced",
        at_ms=T0_MS + 90_000,
        started_ms=T0_MS,
        boot="0e0c1f9a-5a53-4c35-9a35-2b7f0f4c9d11",
        revision=7,
    ),
    "state-v1-will": Farewell("gw-000017", "5b0c3a9de1f20476", 3),
    "state-v1-sleep": Farewell("gw-000017", "5b0c3a9de1f20476", 3, "sleep"),
    "reported-v1": Reported(
        device="gw-000017",
        revision=7,
        settings={"buffer": {"commit_interval_s": 10.0}, "log": {"level": "info"}},
        profile=ProfileReport(
            "winter-battery", "running", ("Vehicle.LowVoltageBattery.CurrentVoltage",), T0_MS + 86_400_000
        ),
        refused=None,
        settable=("buffer.commit_interval_s", "log.level"),
    ),
    "reported-v1-refused": Reported(
        device="gw-000017",
        revision=None,
        settings={},
        profile=None,
        refused=Refusal(8, "uplink.host: cannot be set remotely"),
        settable=("buffer.commit_interval_s", "log.level"),
    ),
}
DESIRED = {
    "config-v1": Desired(7, {"buffer": {"commit_interval_s": 10}, "log": {"level": "info"}}, None),
    "config-v1-profile": Desired(
        8,
        {},
        Profile(
            "winter-battery",
            {"Vehicle.LowVoltageBattery.CurrentVoltage": {"deadband": 0.05, "interval_s_min": 10}},
            Consent("owner-42", T0_MS, T0_MS + 86_400_000),
        ),
    ),
}
RECEIPTS = {
    "receipt-v1": Receipt(EPOCH, 12_008),
    "receipt-v1-above": Receipt(EPOCH, 12_008, ((12_100, 12_360), (12_400, 12_400))),
}


def readable(batch: Batch) -> dict[str, object]:
    """What a batch says, for people and for other implementations' tests."""
    return {
        "device": batch.device,
        "epoch": batch.epoch,
        "first": batch.first,
        "last": batch.last,
        "sent_ms": batch.sent_ms,
        "vss": batch.vss,
        "units": {column.signal: column.unit for column in batch.columns},
        "samples": [
            [row.seq, row.time_ms, row.trust.value, row.signal, row.value] for row in batch.samples()
        ],
        "gaps": [
            [gap.first, gap.last, gap.reason.value, [list(count) for count in gap.counts]]
            for gap in batch.gaps
        ],
    }


@pytest.mark.parametrize("name", BATCHES)
def test_golden_batches_read_as_they_always_did(name: str) -> None:
    payload = (GOLDEN / f"{name}.bin").read_bytes()
    expected = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(readable(decode_batch(payload)))) == expected
    assert json.loads(json.dumps(readable(unpack_batch(payload)))) == expected


@pytest.mark.parametrize(
    "name", [name for name, (_, encoding) in BATCHES.items() if encoding is Encoding.PLAIN]
)
def test_uncompressed_batches_are_written_as_they_always_were(name: str) -> None:
    batch, encoding = BATCHES[name]
    assert encode_batch(batch, encoding) == (GOLDEN / f"{name}.bin").read_bytes()


@pytest.mark.parametrize("name", RECEIPTS)
def test_golden_receipts(name: str) -> None:
    payload = (GOLDEN / f"{name}.bin").read_bytes()
    assert decode_receipt(payload) == RECEIPTS[name]
    assert encode_receipt(RECEIPTS[name]) == payload


@pytest.mark.parametrize("name", SPOKEN)
def test_golden_documents_of_devices_are_written_and_read_as_they_always_were(name: str) -> None:
    payload = (GOLDEN / f"{name}.json").read_bytes()
    assert SPOKEN[name].payload() == payload
    read = read_reported if name.startswith("reported") else read_state
    assert read(payload).model_dump(mode="json") == json.loads(payload)


@pytest.mark.parametrize("name", DESIRED)
def test_golden_configurations_are_read_as_they_always_were(name: str) -> None:
    payload = (GOLDEN / f"{name}.json").read_bytes()
    assert read_desired(payload) == DESIRED[name]
    assert check_desired(payload).revision == DESIRED[name].revision


def test_the_dictionary_never_changes() -> None:
    content = resources.files(milepost_protocol).joinpath(DICTIONARY_1_FILE).read_bytes()
    assert hashlib.sha256(content).hexdigest() == DICTIONARY_1_SHA256


def write_missing() -> None:
    """Write the golden files that are not there yet."""
    GOLDEN.mkdir(exist_ok=True)
    for name, (batch, encoding) in BATCHES.items():
        _write(GOLDEN / f"{name}.bin", encode_batch(batch, encoding))
        _write(GOLDEN / f"{name}.json", (json.dumps(readable(batch), indent=1) + "\n").encode())
    for name, document in SPOKEN.items():
        _write(GOLDEN / f"{name}.json", document.payload())
    for name, desired in DESIRED.items():
        text = json.dumps({"version": 1, **asdict(desired)}, separators=(",", ":"))
        _write(GOLDEN / f"{name}.json", text.encode())
    for name, receipt in RECEIPTS.items():
        _write(GOLDEN / f"{name}.bin", encode_receipt(receipt))


def _write(path: Path, content: bytes) -> None:
    if not path.exists():
        path.write_bytes(content)
        print(f"wrote {path.name}")


if __name__ == "__main__":
    write_missing()
