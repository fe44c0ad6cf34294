"""Several threads may encode and decode at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from milepost_protocol.compression import compress, decompress
from milepost_protocol.frame import Encoding

THREADS = 8
ROUNDS = 300


@pytest.mark.parametrize("encoding", [Encoding.ZSTD, Encoding.ZSTD_DICTIONARY_1])
def test_threads_do_not_disturb_each_other(encoding: Encoding) -> None:
    bodies = [Random(seed).randbytes(200) * 200 for seed in range(THREADS)]
    alone = [compress(encoding, body) for body in bodies]

    def together(number: int) -> bool:
        return all(
            compress(encoding, bodies[number]) == alone[number]
            and decompress(encoding, alone[number]) == bodies[number]
            for _ in range(ROUNDS)
        )

    with ThreadPoolExecutor(THREADS) as pool:
        assert all(pool.map(together, range(THREADS)))
