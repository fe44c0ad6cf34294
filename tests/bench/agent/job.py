"""The job that every contender does: 40 signals at 1 Hz, the same values for all.

A quarter of the signals moves at each second, the others now and then, as on a car's bus. Milepost reads them
from a replay file; the others get one JSON message a second, with all values under short names and a count
that tells the message: the form that costs them least.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Final

from milepost_protocol.signals import SignalClass, catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milepost_protocol.signals import Signal

SIGNALS: Final = 40
MOVES_OFTEN_EVERY: Final = 4
MOVES_SELDOM_SHARE: Final = 0.05
QUANTA_MAX: Final = 4
START_MAX: Final = 10_000.0
TOPIC: Final = "car/values"
COUNT_KEY: Final = "n"
START_MS: Final = 1_795_000_000_000


def chosen() -> list[Signal]:
    """The signals of the job: numbers, and no faults, which come seldom and do not wait for company."""
    numeric = [
        signal
        for signal in catalogue().signals.values()
        if signal.datatype not in ("string", "boolean") and signal.signal_class is not SignalClass.FAULT
    ]
    assert len(numeric) >= SIGNALS, f"the catalogue has only {len(numeric)} numeric signals"
    return numeric[:SIGNALS]


def rows(seconds: int, seed: int) -> Iterator[list[float]]:
    """One list of values a second, in the order of ``chosen``."""
    rng = random.Random(seed)
    signals = chosen()
    values = [_start(signal) for signal in signals]
    for _ in range(seconds):
        for index, signal in enumerate(signals):
            if index % MOVES_OFTEN_EVERY == 0 or rng.random() < MOVES_SELDOM_SHARE:
                values[index] = _moved(signal, values[index], rng)
        yield list(values)


def _start(signal: Signal) -> float:
    low, high = max(signal.minimum, 0.0), min(signal.maximum, START_MAX)
    return round((low + high) / 2, signal.decimals)


def _moved(signal: Signal, value: float, rng: random.Random) -> float:
    """A step of a few quanta; counters only go up."""
    quantum = 10.0**-signal.decimals
    is_counter = signal.signal_class in (SignalClass.COUNTER, SignalClass.ODOMETER)
    step = rng.randint(1 if is_counter else -QUANTA_MAX, QUANTA_MAX) * quantum
    return round(min(signal.maximum, max(signal.minimum, value + step)), signal.decimals)


def write_replay(path: Path, seconds: int, seed: int) -> None:
    """The job as a replay file."""
    with path.open("w") as file:
        print("time_s", *(signal.path for signal in chosen()), sep=",", file=file)
        for second, values in enumerate(rows(seconds, seed)):
            print(second, *values, sep=",", file=file)


def profile() -> dict[str, dict[str, bool]]:
    """The section of the agent's configuration that lets each of the job's readings become a sample."""
    return {signal.path: {"every": True} for signal in chosen()}


def messages(seconds: int, seed: int) -> Iterator[bytes]:
    """The job as JSON messages, one a second."""
    for second, values in enumerate(rows(seconds, seed)):
        named = {f"s{index}": value for index, value in enumerate(values)}
        yield json.dumps({COUNT_KEY: second, **named}, separators=(",", ":")).encode()
