"""Batches to payloads and back.

``decode_batch`` is for what comes from outside: it checks everything, with pydantic (the ``schema`` extra).
``unpack_batch`` is for what this side wrote itself, such as an agent's own blocks: it checks the frame only.
"""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgpack

from milepost_protocol import limits
from milepost_protocol.batch import Batch, Column
from milepost_protocol.compression import compress, decompress
from milepost_protocol.errors import BodyError, LimitError, UnsupportedVersionError
from milepost_protocol.frame import HEADER_BYTES, MAJOR, Encoding, read_header, wrap
from milepost_protocol.identity import check_device_id, check_epoch
from milepost_protocol.packing import pack_steps, unpack_steps
from milepost_protocol.samples import Gap, GapReason, TimeTrust

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_protocol.frame import Header
    from milepost_protocol.schema import WireBody, WireColumn, WireGap, WireNumbers

NARROW_BYTES = 2
"""Bytes of a step so small that a whole batch of them stays within what a double keeps exactly."""


def encode_batch(batch: Batch, encoding: Encoding = Encoding.ZSTD_DICTIONARY_1) -> bytes:
    """The payload of ``batch``. Numbers are rounded to whole steps of their column.

    Raises:
        LimitError: more samples, columns, gaps or bytes than one message may carry; cut it smaller.
        TopicError: a device id or epoch that is none.
    """
    check_device_id(batch.device)
    check_epoch(batch.epoch)
    for count, limit, what in (
        (len(batch.order), limits.BATCH_SAMPLES_MAX, "samples"),
        (len(batch.columns), limits.BATCH_COLUMNS_MAX, "signals"),
        (len(batch.gaps), limits.BATCH_GAPS_MAX, "gaps"),
    ):
        if count > limit:
            raise LimitError(f"batch of {count} {what} is over {limit}; cut it smaller")
    body = msgpack.packb(_body(batch))
    if len(body) > limits.BODY_BYTES_MAX:
        raise LimitError(f"body of {len(body)} bytes is over {limits.BODY_BYTES_MAX}; cut the batch smaller")
    return wrap(encoding, batch.epoch, batch.first, batch.last, compress(encoding, body))


def decode_batch(payload: bytes) -> Batch:
    """Read and check a batch from outside.

    Raises:
        FrameError: it is no batch, or damaged; nothing of it can be trusted.
        UnsupportedVersionError, EncodingError, BodyError: the header is good, so that a receipt can pass it.
    """
    from pydantic import ValidationError  # noqa: PLC0415  (the agent must not load it)

    from milepost_protocol.schema import WireBody  # noqa: PLC0415

    header, fields = _open(payload)
    try:
        return _batch(header, WireBody.model_validate(fields))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise BodyError(f"{where}: {first['msg']}") from None


def unpack_batch(payload: bytes) -> Batch:
    """Read a batch that this side encoded itself.

    Raises:
        FrameError, UnsupportedVersionError, EncodingError, BodyError: the stored bytes are damaged.
    """
    header, fields = _open(payload)
    try:
        return _batch(header, cast("WireBody", _namespace(fields)))
    except (AttributeError, TypeError, ValueError) as error:
        raise BodyError(f"the stored body is damaged: {error}") from error


def _open(payload: bytes) -> tuple[Header, Any]:
    header = read_header(payload)
    if header.major != MAJOR:
        raise UnsupportedVersionError(header.major, MAJOR)
    body = decompress(header.encoding, payload[HEADER_BYTES:])
    try:
        # Lists become tuples because the strict schema knows pairs as tuples.
        return header, msgpack.unpackb(body, use_list=False)
    except (ValueError, msgpack.UnpackException) as error:
        raise BodyError(f"the body is no MessagePack: {error or type(error).__name__}") from error


def _namespace(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{key: _namespace(member) for key, member in value.items()})
    if isinstance(value, tuple):
        return tuple(map(_namespace, value))
    return value


def _body(batch: Batch) -> dict[str, Any]:
    body: dict[str, Any] = {"device": batch.device, "sent": batch.sent_ms, "vss": batch.vss}
    if batch.times_ms:
        body["times"] = _numbers([time_ms - batch.sent_ms for time_ms in batch.times_ms], "times")
    body["trust"] = [(trust.value, count) for trust, count in batch.trust]
    body["order"] = bytes(batch.order)
    body["columns"] = [_column_fields(column) for column in batch.columns]
    if batch.gaps:
        body["gaps"] = [
            {"first": gap.first, "last": gap.last, "reason": gap.reason.value, "counts": gap.counts}
            for gap in batch.gaps
        ]
    return body


def _column_fields(column: Column) -> dict[str, Any]:
    fields: dict[str, Any] = {"signal": column.signal, "unit": column.unit}
    if column.is_text:
        return fields | {"texts": column.values}
    numbers = cast("Sequence[float]", column.values)
    scaled = [round(number * column.per_unit) for number in numbers]
    return fields | {"per_unit": column.per_unit, "values": _numbers(scaled, column.signal)}


def _numbers(numbers: Sequence[int], what: str) -> dict[str, Any]:
    if max(map(abs, numbers)) > limits.INTEGER_MAX:
        raise LimitError(f"{what}: a number is over 2^52")
    width, steps = pack_steps(numbers)
    return {"first": numbers[0], "width": width, "steps": steps}


def _batch(header: Header, body: WireBody) -> Batch:
    columns = [_column(column) for column in body.columns]
    gaps = [_gap(gap) for gap in getattr(body, "gaps", ())]
    times_ms = _whole(getattr(body, "times", None), "times", body.sent)
    _check_counts(body, columns, times_ms)
    _check_cover(header, len(body.order), gaps)
    return Batch(
        device=body.device,
        epoch=header.epoch,
        first=header.first,
        last=header.last,
        sent_ms=body.sent,
        vss=body.vss,
        times_ms=times_ms,
        trust=[(TimeTrust(trust), count) for trust, count in body.trust],
        order=body.order,
        columns=columns,
        gaps=gaps,
    )


def _column(column: WireColumn) -> Column:
    texts = getattr(column, "texts", None)
    if texts is not None:
        return Column(column.signal, column.unit, 1, texts)
    numbers = _whole(column.values, column.signal)
    per_unit = column.per_unit
    values = numbers if per_unit == 1 else [number / per_unit for number in numbers]
    return Column(column.signal, column.unit, per_unit, values)


def _whole(packed: WireNumbers | None, what: str, origin: int = 0) -> list[int]:
    if packed is None:
        return []
    try:
        numbers = unpack_steps(origin + packed.first, packed.width, packed.steps)
    except ValueError as error:
        raise BodyError(f"{what}: {error}") from error
    wide = packed.width > NARROW_BYTES
    if wide and not -limits.INTEGER_MAX <= min(numbers) <= max(numbers) <= limits.INTEGER_MAX:
        raise BodyError(f"{what}: a number is over 2^52")
    return numbers


def _gap(gap: WireGap) -> Gap:
    try:
        return Gap(
            gap.first, gap.last, GapReason(gap.reason), tuple((name, count) for name, count in gap.counts)
        )
    except (LimitError, ValueError) as error:
        raise BodyError(f"gaps: {error}") from error


def _check_counts(body: WireBody, columns: Sequence[Column], times_ms: Sequence[int]) -> None:
    samples = len(body.order)
    if len(times_ms) != samples:
        raise BodyError(f"times: {len(times_ms)} entries for {samples} samples")
    if times_ms and not 0 <= min(times_ms) <= max(times_ms) <= limits.TIME_MS_MAX:
        raise BodyError("times: a time is before 1970 or after 9999")
    if sum(count for _, count in body.trust) != samples:
        raise BodyError(f"trust: its runs do not add up to {samples} samples")
    for index, column in enumerate(columns):
        if len(column.values) != body.order.count(index):
            raise BodyError(f"columns.{index}: {len(column.values)} values, order names another number")
    if samples and max(body.order) >= len(columns):
        raise BodyError(f"order: names column {max(body.order)} of {len(columns)}")


def _check_cover(header: Header, samples: int, gaps: Sequence[Gap]) -> None:
    if any(after.first <= before.last for before, after in pairwise(gaps)):
        raise BodyError("gaps: they overlap, or do not ascend")
    if gaps and (gaps[0].first < header.first or gaps[-1].last > header.last):
        raise BodyError(f"gaps: they reach outside the header's {header.first} to {header.last}")
    covered = header.last - header.first + 1
    if samples + sum(gap.samples for gap in gaps) != covered:
        raise BodyError(
            f"the header covers {covered} seqs, {samples} samples and {len(gaps)} gaps do not add up to them"
        )
