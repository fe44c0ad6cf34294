"""Thinning of fine series: what of a commit can go first, so that each signal keeps every second sample.

A gap is a run of consecutive seqs, so what is to go together has to be numbered together. Therefore a commit
that may be thinned later numbers its fine series not by time, but by tier and then by time. Within a commit
one clock stamps all times, so their order is not lost. The last sample of a signal keeps its last seq, and
stays the longest.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from milepost_agent.buffer.policy import HALF, QUARTER, signal_class
from milepost_protocol.signals import SignalClass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_agent.readings import Reading

SIGNAL_SAMPLES_MIN: Final = 8
"""A signal with fewer samples in a commit is not fine-grained."""
TIER_SAMPLES_MIN: Final = 64
"""Fewer samples in the first tier are not worth the gap that would stand in their place."""


def tiers(readings: Sequence[Reading], *, is_graded: bool) -> list[str]:
    """The tier of each reading; fine series are parted into tiers where ``is_graded``.

    States (text, true or false) are never thinned: each of their changes means something.
    """
    plain = [signal_class(reading.signal) for reading in readings]
    return _graded(readings, plain) if is_graded else plain


def _graded(readings: Sequence[Reading], plain: list[str]) -> list[str]:
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, (reading, name) in enumerate(zip(readings, plain, strict=True)):
        if name == SignalClass.SERIES and not isinstance(reading.value, str | bool):
            places[reading.signal].append(place)
    graded = list(plain)
    for own in places.values():
        if len(own) >= SIGNAL_SAMPLES_MIN:
            for from_last, place in enumerate(reversed(own)):
                if from_last % 2:
                    graded[place] = HALF
                elif from_last % 4:
                    graded[place] = QUARTER
    return graded if graded.count(HALF) >= TIER_SAMPLES_MIN else plain
