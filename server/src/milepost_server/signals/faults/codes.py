"""Trouble codes as numbers: the two bytes that a car sends, ``P0301`` as 0x0301, ``U0100`` as 0xC100."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from milepost_server.signals.flat import Ints

CODE_LENGTH = 5
CODES = 1 << 16
"""How many codes there can be."""
NO_CODE = -1

_LETTERS = "PCBU"
_HEX = "0123456789ABCDEF"


def _values_of(symbols: str) -> Ints:
    """The value of each ASCII character (128), -1 for those that are no symbol."""
    table = np.full(128, NO_CODE, dtype=np.int64)
    for value, symbol in enumerate(symbols):
        table[ord(symbol)] = value
    return table


_LETTER_VALUE, _FIRST_VALUE, _HEX_VALUE = _values_of(_LETTERS), _values_of(_HEX[:4]), _values_of(_HEX)


def encode(texts: Sequence[str] | NDArray[np.str_]) -> Ints:
    """The number (N) of each code of ``texts`` (N); ``NO_CODE`` for what is none."""
    array = np.asarray(texts, dtype=np.str_)
    if not array.size:
        return np.zeros(0, dtype=np.int64)
    proper = np.strings.str_len(array) == CODE_LENGTH
    letters = np.ascontiguousarray(array.astype(f"<U{CODE_LENGTH}")).view("<u4")
    letters = np.minimum(letters.reshape(-1, CODE_LENGTH).astype(np.int64), 127)
    tables = (_LETTER_VALUE, _FIRST_VALUE, _HEX_VALUE, _HEX_VALUE, _HEX_VALUE)
    digits = np.stack([table[letters[:, n]] for n, table in enumerate(tables)])
    shifts = np.array([14, 12, 8, 4, 0])[:, None]
    return np.where(proper & (digits >= 0).all(axis=0), (digits << shifts).sum(axis=0), NO_CODE)


def decode(code: int) -> str:
    """The text of a code: ``P0301`` for 0x0301."""
    assert 0 <= code < CODES
    return f"{_LETTERS[code >> 14]}{code >> 12 & 3}{code & 0xFFF:03X}"
