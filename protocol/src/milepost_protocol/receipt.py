"""Receipts: the server's word on what is durably stored.

::

    offset  bytes  field
    0       2      "MR"
    2       1      major version
    3       1      number of ranges
    4       8      epoch
    12      8      seq, big-endian
    20      4      CRC-32 of all other bytes, big-endian
    24      16 n   ranges: first and last seq, big-endian
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise

from milepost_protocol.errors import FrameError, LimitError, UnsupportedVersionError
from milepost_protocol.frame import MAJOR
from milepost_protocol.identity import check_epoch
from milepost_protocol.limits import RECEIPT_RANGES_MAX, SEQ_MAX

MAGIC = b"MR"

_FIELDS = struct.Struct(">2sBB8sQ")
_CRC = struct.Struct(">I")
_RANGE = struct.Struct(">QQ")
_HEADER_BYTES = _FIELDS.size + _CRC.size


@dataclass(frozen=True, slots=True)
class Receipt:
    """All samples of (device, ``epoch``) up to ``seq`` are durably stored, and so are ranges ``above`` it.

    ``seq`` is 0 where nothing is stored yet. Ranges are inclusive, ascending, and apart from each other.

    Raises:
        LimitError: seqs or ranges that no receipt can have.
    """

    epoch: str
    seq: int
    above: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        check_epoch(self.epoch)
        if not 0 <= self.seq <= SEQ_MAX:
            raise LimitError(f"receipt up to seq {self.seq} is outside 0 to {SEQ_MAX}")
        if len(self.above) > RECEIPT_RANGES_MAX:
            raise LimitError(f"receipt with {len(self.above)} ranges; at most {RECEIPT_RANGES_MAX}")
        edges = (self.seq, *(edge for span in self.above for edge in span))
        in_order = all(first <= last <= SEQ_MAX for first, last in self.above)
        apart = all(below + 1 < above for below, above in list(pairwise(edges))[::2])
        if not (in_order and apart):
            raise LimitError(f"receipt with ranges {self.above} above {self.seq}: not ascending and apart")

    @property
    def highest(self) -> int:
        """The last seq that it speaks of, 0 for none."""
        return self.above[-1][1] if self.above else self.seq


def encode_receipt(receipt: Receipt) -> bytes:
    """The payload that says ``receipt``."""
    fields = _FIELDS.pack(MAGIC, MAJOR, len(receipt.above), bytes.fromhex(receipt.epoch), receipt.seq)
    ranges = b"".join(_RANGE.pack(first, last) for first, last in receipt.above)
    return fields + _CRC.pack(zlib.crc32(ranges, zlib.crc32(fields))) + ranges


def decode_receipt(payload: bytes) -> Receipt:
    """Read a receipt.

    Raises:
        FrameError: it is no receipt, or damaged.
        UnsupportedVersionError: it is one of a later major version.
    """
    if len(payload) < _HEADER_BYTES or payload[:2] != MAGIC:
        raise FrameError(f"{len(payload)} bytes beginning with {payload[:2]!r} are no receipt")
    _, major, count, epoch, seq = _FIELDS.unpack_from(payload)
    if major != MAJOR:
        raise UnsupportedVersionError(major, MAJOR)
    ranges = payload[_HEADER_BYTES:]
    (crc,) = _CRC.unpack_from(payload, _FIELDS.size)
    if crc != zlib.crc32(ranges, zlib.crc32(payload[: _FIELDS.size])):
        raise FrameError("the receipt's checksum is wrong: it was damaged on its way")
    if len(ranges) != count * _RANGE.size:
        raise FrameError(f"receipt says {count} ranges and carries {len(ranges)} bytes of them")
    try:
        return Receipt(epoch.hex(), seq, tuple(_RANGE.iter_unpack(ranges)))
    except LimitError as error:
        raise FrameError(str(error)) from error
