"""Trains a compression dictionary on made-up batches, deterministically.

The shipped ``dictionary-1.bin`` came from this and is frozen: it is part of the wire, and a test holds its
checksum. Run this for the file of the NEXT encoding, when the gain that ``make bench`` shows is worth one:

    python protocol/make_dictionary.py protocol/src/milepost_protocol/dictionary-2.bin
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from milepost_protocol.batch import Batch
from milepost_protocol.codec import encode_batch
from milepost_protocol.compression import ZSTD_LEVEL
from milepost_protocol.frame import HEADER_BYTES, Encoding
from milepost_protocol.samples import Sample, TimeTrust
from milepost_protocol.signals import SignalClass, catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_protocol.signals import Signal, Value

CANDIDATES = 8
"""Dictionaries that are trained, each on batches of its own; the training is a gamble, the best is kept."""

TRAINING_BATCHES = 3000
VALIDATION_BATCHES = 500
DICTIONARY_BYTES = 4096
"""Measured: twice and four times the size compress no better."""

SAMPLES_A_BATCH = (20, 60, 100, 100, 180, 360, 360, 720)
SERIES_STEPS_MS = (1_000, 1_000, 1_000, 1_000, 1_000, 5_000, 10_000)
COUNTER_STEPS_MS = (10_000, 60_000, 3_600_000, 86_400_000)
TEXTS = (
    "P0301 pending",
    "P0301 confirmed",
    "P0420 cleared",
    "car",
    "anchored",
    "entered",
    "driving",
    "parked",
)
SENT_MS_FIRST = 1_795_000_000_000


def walk(rng: random.Random, signal: Signal) -> Iterator[Value]:
    """Values that move as values of this signal may: texts at random, series both ways, totals only up."""
    bottom = max(signal.minimum, -1e6)
    top = min(signal.maximum, 1e7)
    number = bottom + rng.random() * min(100.0, top - bottom)
    while True:
        if signal.is_text:
            yield rng.choice(TEXTS)
            continue
        if signal.signal_class is SignalClass.SERIES:
            number += rng.choice((0, 0, 0, 1, -1, 2, -3)) * rng.choice((1, 1, 5, 20)) / signal.per_unit
        else:
            number += rng.expovariate(1.0) * 20 / signal.per_unit
        number = min(max(number, bottom), top)
        yield number if signal.datatype == "float" else int(number)


def batch(rng: random.Random) -> Batch:
    """One made-up batch: half of them fine series on a grid, half of them totals now and then."""
    known = list(catalogue().signals.values())
    series = [signal for signal in known if signal.signal_class is SignalClass.SERIES and not signal.is_text]
    if rng.random() < 0.5:
        chosen, step_ms = rng.sample(series, rng.randrange(2, len(series) + 1)), rng.choice(SERIES_STEPS_MS)
    else:
        chosen, step_ms = rng.sample(known, rng.randrange(1, 24)), rng.choice(COUNTER_STEPS_MS)
    walks = [walk(rng, signal) for signal in chosen]
    start_ms = SENT_MS_FIRST + rng.randrange(10**10)
    samples = []
    for index in range(rng.choice(SAMPLES_A_BATCH)):
        turn, column = divmod(index, len(chosen))
        time_ms = start_ms + turn * step_ms
        samples.append(Sample(index + 1, time_ms, TimeTrust.SYNCED, chosen[column].path, next(walks[column])))
    sent_ms = samples[-1].time_ms + rng.randrange(3_000)
    return Batch.of(f"gw-{rng.randrange(10**6):06}", "0" * 16, samples, sent_ms=sent_ms)


def bodies(seed: int, count: int) -> list[bytes]:
    """``count`` bodies, not compressed, that ``seed`` alone decides."""
    rng = random.Random(seed)
    return [encode_batch(batch(rng), Encoding.PLAIN)[HEADER_BYTES:] for _ in range(count)]


def dictionary() -> bytes:
    """The candidate that makes the validation bodies, which no candidate was trained on, smallest."""
    validation = bodies(0, VALIDATION_BATCHES)

    def compressed_bytes(candidate: zstandard.ZstdCompressionDict) -> int:
        compressor = zstandard.ZstdCompressor(ZSTD_LEVEL, dict_data=candidate, write_dict_id=False)
        return sum(len(compressor.compress(body)) for body in validation)

    candidates = [
        zstandard.train_dictionary(DICTIONARY_BYTES, bodies(seed, TRAINING_BATCHES), level=ZSTD_LEVEL)
        for seed in range(1, CANDIDATES + 1)
    ]
    return min(candidates, key=compressed_bytes).as_bytes()


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(dictionary())
