"""Runs of whole numbers as bytes: differences of least width, in byte planes, at the C library's speed."""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TYPECODES = {1: "b", 2: "h", 4: "i", 8: "q"}


def pack_steps(numbers: Sequence[int]) -> tuple[int, bytes]:
    """(width in bytes, the differences of ``numbers`` as byte planes); one number fewer than ``numbers``.

    Raises:
        OverflowError: a difference needs more than 64 bits.
    """
    steps = [after - before for before, after in pairwise(numbers)]
    for width, typecode in _TYPECODES.items():
        try:
            packed = array(typecode, steps)
        except OverflowError:
            continue
        if sys.byteorder == "big":
            packed.byteswap()
        raw = packed.tobytes()
        return width, b"".join(raw[plane::width] for plane in range(width))
    raise OverflowError("a difference needs more than 64 bits")


def unpack_steps(first: int, width: int, planes: bytes) -> list[int]:
    """The numbers that ``first`` and the differences in ``planes`` stand for.

    Raises:
        ValueError: the planes are not of equal length, or the width is none.
    """
    count, rest = divmod(len(planes), width)
    if rest or width not in _TYPECODES:
        raise ValueError(f"{len(planes)} bytes are not {width} planes of equal length")
    raw = bytearray(len(planes))
    for plane in range(width):
        raw[plane::width] = planes[plane * count : (plane + 1) * count]
    steps = array(_TYPECODES[width])
    steps.frombytes(raw)
    if sys.byteorder == "big":
        steps.byteswap()
    return list(accumulate(steps, initial=first))
