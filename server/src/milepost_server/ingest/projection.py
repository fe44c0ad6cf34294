"""From a batch to readings: what is projected, what is refused and why, whose it is. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from milepost_protocol import service
from milepost_protocol.errors import ProtocolError, UnknownSignalError
from milepost_protocol.identity import check_vin
from milepost_protocol.samples import TimeTrust
from milepost_protocol.signals import Catalogue, Signal, SignalClass
from milepost_server.ingest.arrivals import Trouble, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milepost_protocol.batch import Batch, Column
    from milepost_protocol.samples import Sample
    from milepost_protocol.signals import Value
    from milepost_server.ingest.coverage import Span
    from milepost_server.store.devices import InstallationRow

VIN_SIGNAL = "Vehicle.VehicleIdentification.VIN"

# No device of ours is older: what is stamped before was stamped by a clock that was never set.
EARLIEST_MS = int(dt.datetime(2020, 1, 1, tzinfo=dt.UTC).timestamp() * 1000)


class Projected(NamedTuple):
    """One reading to be stored."""

    seq: int
    vehicle_id: int
    signal: str
    time_ms: int
    trust: str
    time_plausible: bool
    value_num: float | None
    value_text: str | None


class ServiceDone(NamedTuple):
    """A service that a person entered at the car: one item of one vehicle."""

    vehicle_id: int
    item: str
    done_on: dt.date
    odometer_m: int | None


class Refusal(NamedTuple):
    """What refused samples are counted by."""

    signal: str
    reason: str


class VinConflict(NamedTuple):
    """The car says another VIN than the vehicle that the device is installed in has."""

    vehicle_id: int
    vin_reported: str


@dataclass(slots=True)
class Projection:
    """What one batch, or several, come to."""

    readings: list[Projected] = field(default_factory=list)
    refused: Counter[Refusal] = field(default_factory=Counter)
    details: dict[Refusal, str] = field(default_factory=dict)
    vin_conflicts: set[VinConflict] = field(default_factory=set)
    services: list[ServiceDone] = field(default_factory=list)
    unplaced: int = 0
    """Samples taken while the device was installed nowhere; they wait in the archive."""

    def refuse(self, signal: str, reason: str, detail: str) -> None:
        """Count one sample that becomes no reading."""
        key = Refusal(printable(signal), reason)
        self.refused[key] += 1
        self.details[key] = printable(detail)


END_MS = 2**63
"""After every time: the end of an installation that lasts."""


@dataclass(frozen=True, slots=True)
class Projector:
    """Turns samples into readings.

    Args:
        catalogue: the signals that are known.
        future_s_max: a sample this much later than its receipt has an implausible time.
    """

    catalogue: Catalogue
    future_s_max: int

    def project(
        self,
        batch: Batch,
        spans: Sequence[Span],
        installations: Sequence[InstallationRow],
        received_at: dt.datetime,
        into: Projection,
    ) -> None:
        """Add the samples of ``batch`` whose seqs lie in ``spans`` to ``into``.

        ``installations`` are those of the batch's device. A sample belongs to the vehicle in which the device
        sat when it was taken, or when it was received where the device's clock cannot be believed.
        """
        verdicts = {column.signal: self._verdict(column) for column in batch.columns}
        received_ms = _ms(received_at)
        latest_ms = received_ms + self.future_s_max * 1000
        places = [
            (_ms(row.start_at), _ms(row.end_at) if row.end_at else END_MS, row) for row in installations
        ]
        for sample in _within(batch, spans):
            verdict = verdicts[sample.signal]
            if isinstance(verdict, Trouble):
                into.refuse(sample.signal, verdict.reason, verdict.detail)
                continue
            if verdict.signal_class is SignalClass.SERIES:
                continue
            try:
                value = _checked(verdict, sample.value)
            except ProtocolError as error:
                into.refuse(sample.signal, error.reason, str(error))
                continue
            plausible = EARLIEST_MS <= sample.time_ms <= latest_ms
            is_timed = plausible and sample.trust is not TimeTrust.UNTRUSTED
            place = _place(places, sample.time_ms if is_timed else received_ms)
            if place is None:
                into.unplaced += 1
                continue
            if sample.signal == VIN_SIGNAL and value != place.vin:
                into.vin_conflicts.add(VinConflict(place.vehicle_id, str(value)))
            if sample.signal == service.SIGNAL and is_timed:
                into.services.append(service_done(place.vehicle_id, str(value), sample.time_ms))
            into.readings.append(_projected(sample, value, place.vehicle_id, plausible=plausible))

    def _verdict(self, column: Column) -> Signal | Trouble:
        """The signal of a column, or why none of its samples can be used."""
        try:
            signal = self.catalogue[column.signal]
        except UnknownSignalError as error:
            return Trouble.of(error)
        if column.unit != signal.unit:
            detail = f"{column.signal} came in {column.unit!r}, the catalogue has it in {signal.unit!r}"
            return Trouble("unit", printable(detail))
        return signal


def _checked(signal: Signal, value: Value) -> Value:
    """The value as the signal's own type.

    Raises:
        ValueRefusedError, VinError: the signal cannot have this value.
    """
    value = signal.check(value)
    if signal.path == VIN_SIGNAL:
        return check_vin(str(value))
    if signal.path == service.SIGNAL:
        service.parse(str(value))
    return value


def service_done(vehicle_id: int, text: str, time_ms: int) -> ServiceDone:
    """The record that an entry of a service makes, on the day of its time in UTC.

    Raises:
        ValueRefusedError: ``text`` is no entry.
    """
    entry = service.parse(text)
    done_on = dt.datetime.fromtimestamp(time_ms / 1000, dt.UTC).date()
    return ServiceDone(vehicle_id, entry.item, done_on, entry.odometer_m)


def _within(batch: Batch, spans: Sequence[Span]) -> Iterator[Sample]:
    if list(spans) == [(batch.first, batch.last)]:
        yield from batch.samples()
        return
    for sample in batch.samples():
        if any(low <= sample.seq <= high for low, high in spans):
            yield sample


def _place(places: Sequence[tuple[int, int, InstallationRow]], time_ms: int) -> InstallationRow | None:
    return next((row for start, end, row in reversed(places) if start <= time_ms < end), None)


def _ms(moment: dt.datetime) -> int:
    return int(moment.timestamp() * 1000)


def _projected(sample: Sample, value: Value, vehicle_id: int, *, plausible: bool) -> Projected:
    text = printable(value) if isinstance(value, str) else None
    return Projected(
        seq=sample.seq,
        vehicle_id=vehicle_id,
        signal=sample.signal,
        time_ms=sample.time_ms,
        trust=sample.trust.value,
        time_plausible=plausible,
        value_num=None if isinstance(value, str) else float(value),
        value_text=text,
    )
