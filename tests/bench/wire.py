"""Bytes and microseconds a sample of the wire format, beside the formats that were not chosen.

Six signals of a real drive at 1 Hz, batches of 360 samples (one minute); a made-up drive where it is absent.
"""

from __future__ import annotations

import csv
import json
import math
import statistics
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cbor2
import msgpack
import zstandard

from milepost_protocol import topics
from milepost_protocol.batch import Batch
from milepost_protocol.codec import decode_batch, encode_batch
from milepost_protocol.frame import Encoding
from milepost_protocol.receipt import Receipt, encode_receipt
from milepost_protocol.samples import Sample, TimeTrust

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DRIVE = Path(__file__).resolve().parents[3] / "shared" / "data" / "drives" / "long3.csv"
ENGINE = "Vehicle.Powertrain.CombustionEngine."
COLUMNS = {
    "ENGINE_RPM ()": f"{ENGINE}Speed",
    "VEHICLE_SPEED ()": "Vehicle.Speed",
    "COOLANT_TEMPERATURE ()": f"{ENGINE}EngineCoolant.Temperature",
    "CONTROL_MODULE_VOLTAGE ()": "Vehicle.LowVoltageBattery.CurrentVoltage",
    "ENGINE_LOAD ()": "Vehicle.Milepost.Engine.Load",
    "INTAKE_MANIFOLD_PRESSURE ()": f"{ENGINE}MAP",
}
DEVICE = "gw-000017"
EPOCH = "9f3a1c77e0b24d51"
BATCH_SAMPLES = 360
START_MS = 1_795_000_000_000
ZSTD_LEVEL = 12
ROUNDS = 101
MQTT_PUBACK_BYTES = 4


def measure() -> dict[str, Any]:
    """All figures, and the table of formats."""
    rows, what = _seconds()
    samples = [
        Sample(
            index * len(COLUMNS) + column + 1, START_MS + index * 1000, TimeTrust.SYNCED, path, row[column]
        )
        for index, row in enumerate(rows)
        for column, path in enumerate(COLUMNS.values())
    ]
    batches = [_batch(samples[at : at + BATCH_SAMPLES]) for at in range(0, len(samples), BATCH_SAMPLES)]
    batches = [batch for batch in batches if len(batch.order) == BATCH_SAMPLES]
    payload, receipt, framing = _message_bytes(batches)
    table = [_row(name, write, read, batches) for name, (write, read) in FORMATS.items()]
    for row in table:
        print(
            f"{row['format']:42} {row['bytes']:6.2f} bytes "
            f"{row['write us']:6.2f} / {row['read us']:.2f} us a sample"
        )
    return {
        "what": f"{what}; {len(batches)} batches of {BATCH_SAMPLES}. The table has payloads only, zstd level "
        f"{ZSTD_LEVEL}; `wire_bytes_per_sample` adds MQTT's framing both ways and one receipt a batch.",
        "wire_bytes_per_sample": payload + receipt + framing,
        "payload_bytes_per_sample": payload,
        "framing_bytes_per_sample": framing,
        "receipt_bytes_per_sample": receipt,
        "decode_us_per_sample": table[-1]["read us"],
        "encode_us_per_sample": table[-1]["write us"],
        "table": table,
    }


def _seconds() -> tuple[list[list[float]], str]:
    if not DRIVE.exists():
        made_up = [
            [800 + 900 * abs(math.sin(s / 9)), round(40 + 40 * math.sin(s / 31)), 90, 14.1, 30.2, 60]
            for s in range(1200)
        ]
        return made_up, "A made-up drive (the real one is not beside this checkout)"
    with DRIVE.open(encoding="utf-8") as file:
        lines = list(csv.reader(file))
    header = [name.strip() for name in lines[0]]
    indices = [header.index(name) for name in COLUMNS]
    by_second: dict[int, list[float]] = {}
    for line in lines[1:]:
        by_second.setdefault(int(float(line[0])), [float(line[index]) for index in indices])
    rows: list[list[float]] = []
    for second in range(min(by_second), max(by_second) + 1):
        rows.append([*by_second.get(second, rows[-1] if rows else [])])
    # The manifold's sensor and the coolant's have whole steps; the file prints them as floats.
    return [
        [row[0], round(row[1]), round(row[2]), row[3], row[4], round(row[5])] for row in rows
    ], "The real drive `long3`"


def _batch(samples: list[Sample]) -> Batch:
    return Batch.of(DEVICE, EPOCH, samples, sent_ms=samples[-1].time_ms + 200)


def _message_bytes(batches: list[Batch]) -> tuple[float, float, float]:
    """(payload, receipt, framing) in bytes a sample."""
    samples = sum(len(batch.order) for batch in batches)
    payloads = [len(encode_batch(batch)) for batch in batches]
    receipts = [len(encode_receipt(Receipt(EPOCH, batch.last))) for batch in batches]
    framing = sum(
        _publish_overhead(size, topics.up(DEVICE), topics.UP_QOS) + MQTT_PUBACK_BYTES for size in payloads
    )
    framing += sum(_publish_overhead(size, topics.ack(DEVICE), topics.ACK_QOS) for size in receipts)
    return sum(payloads) / samples, sum(receipts) / samples, framing / samples


def _publish_overhead(payload_bytes: int, topic: str, qos: int) -> int:
    variable = 2 + len(topic) + (2 if qos else 0)
    length_bytes = 1 if variable + payload_bytes < 128 else 2 if variable + payload_bytes < 16_384 else 3
    return 1 + length_bytes + variable


def _rows(batch: Batch) -> list[list[Any]]:
    return [[row.signal, row.time_ms, row.value] for row in batch.samples()]


def _columns(batch: Batch) -> dict[str, Any]:
    return {
        "device": batch.device,
        "epoch": batch.epoch,
        "first": batch.first,
        "times": list(batch.times_ms),
        "order": list(batch.order),
        "columns": [[column.signal, column.unit, list(column.values)] for column in batch.columns],
    }


def _deltas(batch: Batch) -> dict[str, Any]:
    fields = _columns(batch)
    fields["times"] = _differences(fields["times"])
    fields["columns"] = [
        [
            column.signal,
            column.unit,
            column.per_unit,
            _differences([round(v * column.per_unit) for v in cast("Sequence[float]", column.values)]),
        ]
        for column in batch.columns
    ]
    return fields


def _differences(numbers: list[int]) -> list[int]:
    return [*numbers[:1], *(after - before for before, after in pairwise(numbers))]


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


_zstd = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress
_unzstd = zstandard.ZstdDecompressor().decompress

FORMATS: dict[str, tuple[Callable[[Batch], bytes], Callable[[bytes], object]]] = {
    "JSON rows": (lambda b: _json(_rows(b)), json.loads),
    "JSON rows, zstd": (lambda b: _zstd(_json(_rows(b))), lambda p: json.loads(_unzstd(p))),
    "JSON columns, zstd": (lambda b: _zstd(_json(_columns(b))), lambda p: json.loads(_unzstd(p))),
    "JSON columns of differences, zstd": (
        lambda b: _zstd(_json(_deltas(b))),
        lambda p: json.loads(_unzstd(p)),
    ),
    "CBOR columns of differences, zstd": (
        lambda b: _zstd(cbor2.dumps(_deltas(b))),
        lambda p: cbor2.loads(_unzstd(p)),
    ),
    "MessagePack columns of differences, zstd": (
        lambda b: _zstd(msgpack.packb(_deltas(b))),
        lambda p: msgpack.unpackb(_unzstd(p)),
    ),
    "protocol v1, plain": (lambda b: encode_batch(b, Encoding.PLAIN), decode_batch),
    "protocol v1, zstd": (lambda b: encode_batch(b, Encoding.ZSTD), decode_batch),
    "protocol v1, zstd with dictionary (sent)": (encode_batch, decode_batch),
}
"""How each format writes a batch and reads it; only protocol v1 checks what it reads."""


def _row(
    name: str, write: Callable[[Batch], bytes], read: Callable[[bytes], object], batches: list[Batch]
) -> dict[str, Any]:
    samples = len(batches) * BATCH_SAMPLES
    payloads = [write(batch) for batch in batches]
    return {
        "format": name,
        "bytes": sum(map(len, payloads)) / samples,
        "write us": _median_us(lambda: [write(batch) for batch in batches], samples),
        "read us": _median_us(lambda: [read(payload) for payload in payloads], samples),
    }


def _median_us(work: Callable[[], object], samples: int) -> float:
    times_s = []
    for _ in range(ROUNDS):
        start_s = time.perf_counter()
        work()
        times_s.append(time.perf_counter() - start_s)
    return statistics.median(times_s) / samples * 1e6
