"""Batches for tests: by hand, and by hypothesis within what the catalogue allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from milepost_protocol.batch import Batch
from milepost_protocol.samples import Gap, GapReason, Sample, TimeTrust
from milepost_protocol.signals import Signal, SignalClass, Value, catalogue

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

DEVICE = "gw-000017"
EPOCH = "9f3a1c77e0b24d51"
SENT_MS = 1_795_000_100_000

ODOMETER = "Vehicle.TraveledDistance"
REST_VOLTAGE = "Vehicle.Milepost.Battery.RestVoltage"
DTC = "Vehicle.Milepost.Diagnostics.Dtc"


def sample(seq: int, signal: str = ODOMETER, value: Value = 12_400_000, time_ms: int | None = None) -> Sample:
    """One synced sample; a second later for each seq."""
    at_ms = 1_795_000_000_000 + seq * 1000 if time_ms is None else time_ms
    return Sample(seq, at_ms, TimeTrust.SYNCED, signal, value)


def batch(*samples: Sample, gaps: tuple[Gap, ...] = (), device: str = DEVICE, epoch: str = EPOCH) -> Batch:
    """The batch of these samples and gaps."""
    return Batch.of(device, epoch, samples, gaps, sent_ms=SENT_MS)


def values_of(signal: Signal) -> SearchStrategy[Value]:
    """Values that ``signal`` may have and that lie on its steps, so that the wire keeps them exactly."""
    if signal.is_text:
        return st.text(max_size=40)
    if signal.datatype == "boolean":
        return st.booleans()
    low = max(signal.minimum, -1e9) * signal.per_unit
    high = min(signal.maximum, 1e9) * signal.per_unit
    steps = st.integers(int(low), int(high))
    return steps if signal.datatype != "float" else steps.map(lambda step: step / signal.per_unit)


@st.composite
def batches(draw: st.DrawFn, first_max: int = 2**40) -> Batch:
    """Any batch that may be sent: samples and gaps in any arrangement."""
    known = list(catalogue().signals.values())
    seq = draw(st.integers(1, first_max))
    samples: list[Sample] = []
    gaps: list[Gap] = []
    for is_gap in draw(st.lists(st.booleans(), min_size=1, max_size=40)):
        if is_gap:
            dropped = draw(st.integers(1, 100_000))
            count = (draw(st.sampled_from([*SignalClass, "unknown"])), dropped)
            gaps.append(Gap(seq, seq + dropped - 1, draw(st.sampled_from(GapReason)), (count,)))
            seq += dropped
        else:
            signal = draw(st.sampled_from(known))
            time_ms = draw(st.integers(0, 2**41))
            trust = draw(st.sampled_from(TimeTrust))
            samples.append(Sample(seq, time_ms, trust, signal.path, draw(values_of(signal))))
            seq += 1
    return Batch.of(DEVICE, EPOCH, samples, gaps, sent_ms=draw(st.integers(0, 2**41)))
