"""Random streams: one for each block of owners and each room of the fleet."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_OWNERS = 256


class Stream(IntEnum):
    """Rooms draw from streams of their own, so that a change in one does not shift the others."""

    POPULATION = 0
    USAGE = 1
    WORKSHOP = 2
    FAULTS = 3
    PEOPLE = 4
    INTENT = 5
    HISTORY = 6
    TURNOVER = 7
    OBSERVED = 8


def generator(seed: int, block: int, stream: Stream, *more: int) -> np.random.Generator:
    """The random stream of one room in one block."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block, int(stream), *more)))


def blocks(owners: int) -> Iterator[tuple[int, int]]:
    """(block, how many of its owners are wanted) for a fleet of ``owners``."""
    for block in range(-(-owners // BLOCK_OWNERS)):
        yield block, min(BLOCK_OWNERS, owners - block * BLOCK_OWNERS)
