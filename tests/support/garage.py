"""A dealer whose cars are given readings and services by hand, for tests of what is derived from them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table, insert, select

from milepost_protocol.samples import TimeTrust
from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.derive import Derivation
from milepost_server.store import dealers, dirty, service_records, vehicles
from milepost_server.store.dealers import DealerRow
from milepost_server.store.engine import Store
from milepost_server.store.schema import Powertrain, devices, readings, service_due, streams

ODOMETER = "Vehicle.TraveledDistance"
DTC = "Vehicle.Milepost.Diagnostics.Dtc"
PAD = "Vehicle.Chassis.Axle.Row1.Wheel.Left.Brake.PadWear"
TODAY = dt.date(2026, 3, 2)
NOW = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)
KM = 1_000


@dataclass
class Garage:
    """A dealer with cars that readings can be given to."""

    store: Store
    dealer: DealerRow
    cars: int = 0
    seqs: dict[int, int] = field(default_factory=dict)

    async def car(self, *, registered: dt.date | None = dt.date(2024, 1, 10), model: str = "V60") -> int:
        """A new vehicle; its id is that of its stream, too."""
        self.cars += 1
        async with self.store.write() as connection:
            vehicle = await vehicles.put(
                connection,
                self.dealer.id,
                vin=f"1M8GDM9AXKP{self.dealer.id:02}{self.cars:04}",
                plate=None,
                make="Volvo",
                model=model,
                model_year=2024,
                powertrain=Powertrain.COMBUSTION,
                first_registered_on=registered,
                now=NOW,
            )
            device = {"id": f"car-{vehicle.id}", "dealer_id": self.dealer.id, "credential": "none"}
            await connection.execute(
                insert(devices).values(**device, registered_at=NOW, projection_stale=False)
            )
            await connection.execute(
                insert(streams).values(
                    id=vehicle.id,
                    dealer_id=self.dealer.id,
                    device_id=device["id"],
                    epoch="00" * 8,
                    watermark=0,
                    created_at=NOW,
                    received_at=NOW,
                )
            )
        return vehicle.id

    async def read(
        self,
        vehicle_id: int,
        values: list[tuple[dt.datetime, float | str]],
        signal: str = ODOMETER,
        *,
        trust: TimeTrust = TimeTrust.SYNCED,
        plausible: bool = True,
    ) -> None:
        """Readings as ingest leaves them, with the vehicle marked."""
        rows = []
        for at, value in values:
            self.seqs[vehicle_id] = self.seqs.get(vehicle_id, 0) + 1
            rows.append(
                {
                    "dealer_id": self.dealer.id,
                    "stream_id": vehicle_id,
                    "seq": self.seqs[vehicle_id],
                    "vehicle_id": vehicle_id,
                    "signal": signal,
                    "time_ms": round(at.timestamp() * 1000),
                    "trust": trust.value,
                    "time_plausible": plausible,
                    "received_at": NOW,
                    "value_num": None if isinstance(value, str) else value,
                    "value_text": value if isinstance(value, str) else None,
                }
            )
        async with self.store.write() as connection:
            await connection.execute(insert(readings), rows)
            await dirty.mark(connection, [(self.dealer.id, vehicle_id)], now=NOW)

    async def drive(self, vehicle_id: int, km_per_month: float, months: int = 12) -> None:
        """Monthly odometer readings up to today, the last one of 50,000 km."""
        await self.read(
            vehicle_id,
            [
                (NOW - dt.timedelta(days=30.4375 * n), (50_000 - km_per_month * n) * KM)
                for n in range(months, -1, -1)
            ],
        )

    async def serve(self, vehicle_id: int, item: str, on: dt.date, km: int | None = None) -> None:
        async with self.store.write() as connection:
            await service_records.add(
                connection,
                self.dealer.id,
                vehicle_id=vehicle_id,
                item=item,
                done_on=on,
                odometer_m=None if km is None else km * KM,
                source="test",
                now=NOW,
            )

    def derivation(self, now: dt.datetime = NOW) -> Derivation:
        return Derivation(self.store, Configuration(), now=now)

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        query = select(table).where(table.c.dealer_id == self.dealer.id)
        async with self.store.read() as connection:
            found = await connection.execute(query.order_by(*table.primary_key.columns))
            return [dict(row._mapping) for row in found]

    async def item(self, vehicle_id: int, key: str, as_of: dt.date = TODAY) -> dict[str, Any]:
        (row,) = [
            row
            for row in await self.rows(service_due)
            if (row["vehicle_id"], row["item"], row["as_of"]) == (vehicle_id, key, as_of)
        ]
        return row


async def open_garage(store: Store, timezone: str = "UTC") -> Garage:
    async with store.write() as connection:
        dealer_id = await dealers.add(connection, name="North", timezone=timezone, now=NOW)
    return Garage(store, DealerRow(dealer_id, "North", timezone, dealers.CURRENCY))
