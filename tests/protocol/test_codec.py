"""Round trips of the codec, and what it does with rubbish."""

from __future__ import annotations

import random
import tracemalloc

import msgpack
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from milepost_protocol import codec, frame, limits
from milepost_protocol.batch import Batch
from milepost_protocol.errors import (
    BodyError,
    EncodingError,
    FrameError,
    LimitError,
    ProtocolError,
    UnsupportedVersionError,
)
from milepost_protocol.frame import Encoding
from milepost_protocol.samples import Gap, GapReason
from support.batches import DTC, EPOCH, ODOMETER, batch, batches, sample


def body_of(payload: bytes) -> dict[str, object]:
    _, fields = codec._open(payload)
    return dict(fields)


def payload_with(body: object, first: int = 1, last: int = 1) -> bytes:
    return frame.wrap(Encoding.PLAIN, EPOCH, first, last, msgpack.packb(body))


def plain_body() -> dict[str, object]:
    return body_of(codec.encode_batch(batch(sample(1)), Encoding.PLAIN))


@given(batches(), st.sampled_from(Encoding))
def test_what_is_sent_is_what_arrives(sent: Batch, encoding: Encoding) -> None:
    payload = codec.encode_batch(sent, encoding)
    arrived = codec.decode_batch(payload)
    assert list(arrived.samples()) == list(sent.samples())
    assert list(arrived.gaps) == list(sent.gaps)
    assert (arrived.first, arrived.last, arrived.epoch) == (sent.first, sent.last, sent.epoch)
    assert (arrived.device, arrived.sent_ms, arrived.vss) == (sent.device, sent.sent_ms, sent.vss)
    assert [column.unit for column in arrived.columns] == [column.unit for column in sent.columns]


@given(batches())
def test_the_light_reader_reads_the_same_as_the_checking_one(sent: Batch) -> None:
    payload = codec.encode_batch(sent)
    light, checked = codec.unpack_batch(payload), codec.decode_batch(payload)
    assert list(light.samples()) == list(checked.samples())
    assert list(light.gaps) == list(checked.gaps)


@given(st.binary(max_size=400))
def test_rubbish_raises_only_the_protocols_own_errors(rubbish: bytes) -> None:
    with pytest.raises(FrameError):
        codec.decode_batch(rubbish)


@given(st.binary(max_size=400), st.sampled_from(Encoding), st.integers(1, 2**40), st.integers(1, 5000))
def test_rubbish_in_a_good_frame_raises_only_the_protocols_own_errors(
    rubbish: bytes, encoding: Encoding, first: int, count: int
) -> None:
    payload = frame.wrap(encoding, EPOCH, first, first + count - 1, rubbish)
    for read in (codec.decode_batch, codec.unpack_batch):
        with pytest.raises(ProtocolError):
            read(payload)


@given(batches(), st.randoms(use_true_random=False))
def test_a_flipped_bit_never_goes_unnoticed(sent: Batch, rng: random.Random) -> None:
    payload = bytearray(codec.encode_batch(sent))
    payload[rng.randrange(len(payload))] ^= 1 << rng.randrange(8)
    with pytest.raises(FrameError):
        codec.decode_batch(bytes(payload))


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5)
JUNK = st.recursive(
    SCALARS | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(list(plain_body())), JUNK))
def test_a_body_with_fields_of_any_shape_is_refused_or_understood(fields: dict[str, object]) -> None:
    payload = payload_with(plain_body() | fields)
    for read in (codec.decode_batch, codec.unpack_batch):
        try:
            read(payload)
        except ProtocolError:
            continue


def test_new_fields_do_not_disturb_old_readers() -> None:
    body = plain_body()
    column = dict(body["columns"][0]) | {"added": [1, 2]}  # type: ignore[index]
    payload = payload_with(body | {"added": {"deep": 1}, "columns": [column]})
    assert list(codec.decode_batch(payload).samples()) == [sample(1)]
    assert list(codec.unpack_batch(payload).samples()) == [sample(1)]


def test_a_later_major_version_is_named_and_its_header_still_reads() -> None:
    payload = bytearray(codec.encode_batch(batch(sample(5), sample(6))))
    payload[2] = 9
    payload[24:28] = frame._CRC.pack(frame._checksum(bytes(payload[:24]), bytes(payload[28:])))
    with pytest.raises(UnsupportedVersionError, match="version 9"):
        codec.decode_batch(bytes(payload))
    header = frame.read_header(bytes(payload))
    assert (header.first, header.last, header.epoch) == (5, 6, EPOCH)


def test_a_bomb_is_refused_before_it_expands() -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(200_000_000))
    assert len(bomb) < limits.BATCH_BYTES_MAX
    payload = frame.wrap(Encoding.ZSTD, EPOCH, 1, 1, bomb)
    tracemalloc.start()
    try:
        with pytest.raises(EncodingError, match="200000000"):
            codec.decode_batch(payload)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < limits.BODY_BYTES_MAX


def test_a_bomb_that_hides_its_size_is_refused() -> None:
    stream = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    bomb = stream.compress(bytes(5_000_000)) + stream.flush()
    with pytest.raises(EncodingError, match="limit"):
        codec.decode_batch(frame.wrap(Encoding.ZSTD, EPOCH, 1, 1, bomb))


def test_an_unknown_encoding_is_named() -> None:
    fields = frame._FIELDS.pack(frame.MAGIC, 1, 77, bytes(8), 1, 1)
    payload = fields + frame._CRC.pack(frame._checksum(fields, b"")) + b""
    with pytest.raises(EncodingError, match="encoding 77"):
        codec.decode_batch(payload)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"order": b"\x07"}, "column"),
        ({"order": b"\x00\x00"}, "times"),
        ({"times": None}, "times"),
        ({"trust": [["synced", 2]]}, "trust"),
        ({"trust": [["sworn", 1]]}, "trust"),
        ({"device": "not a device"}, "device"),
        ({"sent": -1}, "sent"),
        ({"sent": "now"}, "sent"),
        ({"columns": []}, "order"),
    ],
)
def test_each_broken_field_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(BodyError, match=message):
        codec.decode_batch(payload_with(plain_body() | change))


def test_a_range_that_samples_and_gaps_do_not_fill_is_refused() -> None:
    with pytest.raises(BodyError, match="do not add up"):
        codec.decode_batch(payload_with(plain_body(), first=1, last=2))


@pytest.mark.parametrize("spans", [[(2, 3), (3, 4)], [(4, 5), (2, 2)], [(1, 9)]])
def test_gaps_that_overlap_or_reach_out_are_refused(spans: list[tuple[int, int]]) -> None:
    gaps = [
        {"first": first, "last": last, "reason": "age", "counts": [["wear", last - first + 1]]}
        for first, last in spans
    ]
    with pytest.raises(BodyError, match="gaps"):
        codec.decode_batch(payload_with(plain_body() | {"gaps": gaps}, first=2, last=5))


def test_values_are_kept_at_the_resolution_of_their_signal() -> None:
    sent = batch(sample(1, "Vehicle.Milepost.Battery.RestVoltage", 12.3456))
    assert [row.value for row in codec.decode_batch(codec.encode_batch(sent)).samples()] == [12.35]


def test_a_gap_of_a_week_costs_a_few_bytes() -> None:
    week = 7 * 86_400 * 40
    gap = Gap(2, week + 1, GapReason.DISK_BUDGET, (("series", week),))
    payload = codec.encode_batch(batch(sample(1), sample(week + 2), gaps=(gap,)))
    arrived = codec.decode_batch(payload)
    assert [row.seq for row in arrived.samples()] == [1, week + 2]
    assert arrived.gaps[0].samples == week


@pytest.mark.parametrize(
    ("what", "samples"),
    [
        ("samples", [sample(seq) for seq in range(1, limits.BATCH_SAMPLES_MAX + 2)]),
        ("bytes", [sample(seq, DTC, random.Random(seq).randbytes(120).hex()) for seq in range(1, 1500)]),
    ],
)
def test_what_is_over_a_limit_is_not_encoded(what: str, samples: list[object]) -> None:
    with pytest.raises(LimitError, match=what):
        codec.encode_batch(batch(*samples))  # type: ignore[arg-type]


def test_a_batch_leaves_no_seq_out_and_names_none_twice() -> None:
    with pytest.raises(LimitError, match="seq 2 is missing"):
        batch(sample(1), sample(3))
    with pytest.raises(LimitError, match="seq 1 is doubled"):
        batch(sample(1), sample(1, ODOMETER, 5))
    with pytest.raises(LimitError, match="at least one"):
        batch()
