"""Compression of bodies, with a limit on what a body may expand to."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import zstandard

from milepost_protocol.errors import EncodingError
from milepost_protocol.frame import Encoding
from milepost_protocol.limits import BODY_BYTES_MAX

ZSTD_LEVEL = 12
"""Measured by ``make bench``: the highest level that is still as fast as the rest of the encoder."""
ZSTD_WINDOW_LOG = 15
ZSTD_CHAIN_LOG = 13
ZSTD_HASH_LOG = 12
"""Tables for bodies of some kilobytes, as batches are: no byte more on the wire, and a context of half a
megabyte, however large a body it has met; by itself zstd would take two."""

DICTIONARY_1_FILE = "dictionary-1.bin"
"""Part of the wire: it never changes. A better one is a new file with a new encoding."""


def compress(encoding: Encoding, body: bytes) -> bytes:
    """``body`` as ``encoding`` says."""
    return body if encoding is Encoding.PLAIN else _compressor(encoding).compress(body)


def decompress(encoding: int, body: bytes) -> bytes:
    """Undo ``compress``, never expanding to more than ``BODY_BYTES_MAX``.

    Raises:
        EncodingError: an encoding that is none, a damaged body, or one that says it is too large.
    """
    if encoding == Encoding.PLAIN:
        return body
    if encoding not in (Encoding.ZSTD, Encoding.ZSTD_DICTIONARY_1):
        raise EncodingError(f"encoding {encoding} is not one of {[member.value for member in Encoding]}")
    try:
        # zstd allocates what the frame states and never writes more than that: look at the statement first.
        expanded_bytes = zstandard.frame_content_size(body)
        if not 0 <= expanded_bytes <= BODY_BYTES_MAX:
            raise EncodingError(
                f"the body says it expands to {expanded_bytes} bytes; the limit is {BODY_BYTES_MAX}"
            )
        return _decompressor(Encoding(encoding)).decompress(body, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise EncodingError(f"the body does not decompress: {error}") from error


class _Contexts(threading.local):
    """zstd's working memory, made once for each thread: two threads in one context corrupt it."""

    def __init__(self) -> None:
        self.compressors: dict[Encoding, zstandard.ZstdCompressor] = {}
        self.decompressors: dict[Encoding, zstandard.ZstdDecompressor] = {}


_contexts = _Contexts()


def _compressor(encoding: Encoding) -> zstandard.ZstdCompressor:
    found = _contexts.compressors.get(encoding)
    if found is None:
        # The encoding names the dictionary and the frame carries a checksum: zstd need not repeat either.
        parameters = zstandard.ZstdCompressionParameters.from_level(
            ZSTD_LEVEL,
            window_log=ZSTD_WINDOW_LOG,
            chain_log=ZSTD_CHAIN_LOG,
            hash_log=ZSTD_HASH_LOG,
            source_size=1 << ZSTD_HASH_LOG,
            write_dict_id=False,
            write_checksum=False,
        )
        found = _contexts.compressors[encoding] = zstandard.ZstdCompressor(
            compression_params=parameters, dict_data=_dictionary(encoding)
        )
    return found


def _decompressor(encoding: Encoding) -> zstandard.ZstdDecompressor:
    found = _contexts.decompressors.get(encoding)
    if found is None:
        found = _contexts.decompressors[encoding] = zstandard.ZstdDecompressor(
            dict_data=_dictionary(encoding)
        )
    return found


@cache
def _dictionary(encoding: Encoding) -> zstandard.ZstdCompressionDict | None:
    if encoding is not Encoding.ZSTD_DICTIONARY_1:
        return None
    content = Path(__file__).with_name(DICTIONARY_1_FILE).read_bytes()
    return zstandard.ZstdCompressionDict(content, dict_type=zstandard.DICT_TYPE_FULLDICT)
