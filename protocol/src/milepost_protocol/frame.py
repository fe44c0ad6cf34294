"""The frame around a batch: 28 bytes that every major version keeps.

So a receipt can pass over a body that nobody can read.

::

    offset  bytes  field
    0       2      "MB"
    2       1      major version of the body
    3       1      encoding of the body (Encoding)
    4       8      epoch
    12      8      first seq, big-endian
    20      4      seqs covered, big-endian
    24      4      CRC-32 of all other bytes of the payload, big-endian
    28             body
"""

from __future__ import annotations

import enum
import struct
import zlib
from dataclasses import dataclass

from milepost_protocol.errors import FrameError, LimitError
from milepost_protocol.limits import BATCH_BYTES_MAX, GAP_SEQS_MAX, SEQ_MAX

MAJOR = 1
MAGIC = b"MB"

_FIELDS = struct.Struct(">2sBB8sQI")
_CRC = struct.Struct(">I")
HEADER_BYTES = _FIELDS.size + _CRC.size


class Encoding(enum.IntEnum):
    """How the body is compressed."""

    PLAIN = 0
    ZSTD = 1
    ZSTD_DICTIONARY_1 = 2


@dataclass(frozen=True, slots=True)
class Header:
    """What can be read of every batch, whatever its major version; ``last`` is inclusive."""

    major: int
    encoding: int
    epoch: str
    first: int
    last: int


def read_header(payload: bytes) -> Header:
    """Read the header, and check that the payload arrived as it was sent.

    Raises:
        FrameError: too short or too long, another magic, impossible seqs, or a wrong checksum.
    """
    if len(payload) > BATCH_BYTES_MAX:
        raise FrameError(f"payload of {len(payload)} bytes is over the limit of {BATCH_BYTES_MAX}")
    if len(payload) < HEADER_BYTES:
        raise FrameError(f"payload of {len(payload)} bytes is shorter than the header's {HEADER_BYTES}")
    magic, major, encoding, epoch, first, count = _FIELDS.unpack_from(payload)
    if magic != MAGIC:
        raise FrameError(f"payload begins with {magic!r}, not with {MAGIC!r}: this is no Milepost batch")
    (crc,) = _CRC.unpack_from(payload, _FIELDS.size)
    if crc != _checksum(payload[: _FIELDS.size], payload[HEADER_BYTES:]):
        raise FrameError("the checksum is wrong: the payload was damaged on its way")
    if not (first >= 1 and count >= 1 and first + count - 1 <= SEQ_MAX):
        raise FrameError(f"the header covers no seqs that can be: first {first}, count {count}")
    return Header(major, encoding, epoch.hex(), first, first + count - 1)


def wrap(encoding: Encoding, epoch: str, first: int, last: int, body: bytes) -> bytes:
    """Put the header before ``body``.

    Raises:
        LimitError: the payload or the range of seqs is larger than the wire allows.
    """
    count = last - first + 1
    if not (first >= 1 and 1 <= count <= GAP_SEQS_MAX and last <= SEQ_MAX):
        raise LimitError(f"a batch cannot cover seqs {first} to {last}")
    fields = _FIELDS.pack(MAGIC, MAJOR, encoding, bytes.fromhex(epoch), first, count)
    payload = fields + _CRC.pack(_checksum(fields, body)) + body
    if len(payload) > BATCH_BYTES_MAX:
        raise LimitError(f"batch of {len(payload)} bytes is over {BATCH_BYTES_MAX}; cut it smaller")
    return payload


def _checksum(fields: bytes, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(fields))
