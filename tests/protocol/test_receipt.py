"""Receipts: round trips, damage, and ranges that cannot be."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_protocol.errors import FrameError, LimitError, ProtocolError, UnsupportedVersionError
from milepost_protocol.receipt import Receipt, decode_receipt, encode_receipt

EPOCH = "9f3a1c77e0b24d51"


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    count = draw(st.integers(0, 16))
    edges = sorted(draw(st.sets(st.integers(0, 2**62), min_size=2 * count + 1, max_size=2 * count + 1)))
    above = [(first, last) for first, last in zip(edges[1::2], edges[2::2], strict=True)]
    apart = [span for (_, below), span in pairwise([(0, edges[0]), *above]) if span[0] > below + 1]
    return Receipt(EPOCH, edges[0], tuple(apart))


@given(receipts())
def test_what_is_sent_is_what_arrives(receipt: Receipt) -> None:
    assert decode_receipt(encode_receipt(receipt)) == receipt


def test_a_plain_receipt_is_24_bytes() -> None:
    assert len(encode_receipt(Receipt(EPOCH, 12_360))) == 24


@given(st.binary(max_size=100))
def test_rubbish_is_refused(rubbish: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_receipt(rubbish)


@given(receipts(), st.randoms(use_true_random=False))
def test_a_flipped_bit_never_makes_another_receipt(receipt: Receipt, rng: random.Random) -> None:
    payload = bytearray(encode_receipt(receipt))
    payload[rng.randrange(len(payload))] ^= 1 << rng.randrange(8)
    with pytest.raises((FrameError, UnsupportedVersionError)):
        decode_receipt(bytes(payload))


@pytest.mark.parametrize(
    "above", [((10, 12),), ((11, 12),), ((20, 19),), ((20, 22), (23, 24)), ((30, 31), (20, 21))]
)
def test_ranges_touch_nothing_and_ascend(above: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(LimitError):
        Receipt(EPOCH, 10, above)


def test_seventeen_ranges_are_one_too_many() -> None:
    with pytest.raises(LimitError, match="at most 16"):
        Receipt(EPOCH, 0, tuple((n * 10, n * 10) for n in range(1, 18)))
