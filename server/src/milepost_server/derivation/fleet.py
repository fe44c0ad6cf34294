"""What a derivation knows of a chunk of vehicles: arrays to work on, and the ids of what they rest on.

Times are local days since 1970 of the dealer, distances metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_server.signals.fleet.inputs import SignalRows

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    from milepost_server.signals.flat import Bools, Floats, Ints
    from milepost_server.signals.fleet.inputs import Previous
    from milepost_server.signals.items.life_cycle import Actions, Listing
    from milepost_server.signals.odometer import OdometerReadings
    from milepost_server.signals.schedules.book import Plans
    from milepost_server.signals.value.contracts import Contracts

NO_ROW = -1
NOBODY = 0
"""The owner's id of a vehicle that nobody owns; ids begin at 1."""
NO_ROWS = SignalRows(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))
NO_SEQ = -1
"""Of an odometer row that comes from a service record: its ``stream_id`` is the record's."""


@dataclass(frozen=True, slots=True)
class Services:
    """S service records in the order in which they were entered."""

    vehicle: Ints  # (S) 0 .. V - 1
    item: Ints  # (S) place in `Inputs.keys`, -1 for an item that no schedule has
    done_d: Floats  # (S) the date
    odometer_row: Ints  # (S) the row of the odometer readings that its odometer became, `NO_ROW` where none


@dataclass(frozen=True, slots=True)
class Before:
    """What the day before left, of V vehicles and I items."""

    items: Previous  # (V, I)
    listing: Listing  # (V * I)


@dataclass(frozen=True, slots=True)
class FaultInputs:
    """What the control units of V vehicles said of trouble codes."""

    offsets: Ints  # (V + 1)
    code: Ints  # (N) see `faults.codes.encode`
    status: Ints  # (N) see `faults.fleet`
    time_d: Floats  # (N) NaN where the device's clock could not be trusted
    detail_vehicle: Ints  # (D) details in the order in which they came
    detail_code: Ints  # (D)
    detail_bits: Ints  # (D) status bytes


@dataclass(frozen=True, slots=True)
class MoneyInputs:
    """What decides the value of V vehicles, and what is agreed on them."""

    curve: Ints  # (V) place of the residual curve
    loss_over_usual: Floats  # (V) a year, of the model
    list_price: Floats  # (V) minor units; NaN where unknown
    since_d: Floats  # (V) when the present owner got it; NaN without one
    pack_warranty: Ints  # (V) place in the pack facts, -1 for a car without a traction battery
    contracts: Contracts


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that the results of V vehicles are derived from, as arrays."""

    plans: Plans
    keys: tuple[str, ...]  # (I) of all items that any plan has
    registered_d: Floats  # (V) first registration; NaN where unknown
    odometer: OdometerReadings
    services: Services
    signals: Mapping[str, SignalRows]  # by path
    faults: FaultInputs
    money: MoneyInputs
    before: Before | None = None
    actions: Actions | None = None  # whose ``item`` is vehicle * I + item

    @property
    def vehicles(self) -> int:
        """How many there are."""
        return len(self.registered_d)

    def rows_of(self, path: str) -> SignalRows:
        """The readings of one signal; none of one that was not read."""
        return self.signals.get(path, NO_ROWS)


class Vehicle(NamedTuple):
    """What the registry knows of a vehicle."""

    id: int
    make: str
    model: str
    powertrain: str
    engine: str | None
    duty: str | None
    first_registered_on: dt.date | None
    list_price: int | None


@dataclass(frozen=True, slots=True)
class ReadingIds:
    """Which reading each row (N) of a signal is."""

    stream_id: Ints
    seq: Ints


@dataclass(frozen=True, slots=True)
class OdometerSources:
    """Where each odometer row (N) comes from: a reading, or (``seq`` `NO_SEQ`) a service record."""

    stream_id: Ints
    seq: Ints
    time_ms: Ints

    def is_reading(self) -> Bools:
        """Whether each row (N) is a reading."""
        readings_only: Bools = self.seq != NO_SEQ
        return readings_only


@dataclass(frozen=True, slots=True)
class Events:
    """Readings of one signal with a text, in the order of their streams within each vehicle."""

    vehicle: Ints  # (N) 0 .. V - 1; rises
    time_d: Floats  # (N) NaN where the device's clock could not be trusted
    text: list[str]  # (N)
    ids: ReadingIds


@dataclass(frozen=True, slots=True)
class Chunk:
    """V vehicles, what they are derived from, and what each row of it is called in the store."""

    vehicles: list[Vehicle]
    inputs: Inputs
    sources: OdometerSources
    service_ids: Ints  # (S)
    signal_ids: Mapping[str, ReadingIds]  # by path
    fault_ids: ReadingIds  # of each event in `Inputs.faults`
    contract_ids: Ints  # (C)
    owner_id: Ints  # (V) who owns each vehicle, `NOBODY` where nobody does
