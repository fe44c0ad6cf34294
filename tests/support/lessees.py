"""A dealer whose owners lease: half of them replace the car as the lease ends, the others keep it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from milepost_server.store import contracts, outcomes
from milepost_server.store.schema import ContractKind, OutcomeKind
from support.garage import NOW, TODAY, open_garage
from support.registry import hand_over

if TYPE_CHECKING:
    from milepost_server.store.engine import Store
    from support.garage import Garage

DAY = dt.timedelta(days=1)


async def of_lessees(store: Store, cars: int, timezone: str = "UTC") -> Garage:
    """Cars whose lease ended months ago, each with its own owner; those of even owners were replaced then."""
    garage = await open_garage(store, timezone)
    lease = dict.fromkeys(contracts.ContractRow.__dataclass_fields__)
    del lease["id"]
    for number in range(cars):
        car = await garage.car(registered=TODAY - 1_500 * DAY)
        end_on = TODAY - (200 + 5 * number) * DAY
        until = end_on - 10 * DAY if number % 4 == 2 else None
        owner_id = await hand_over(garage.store, garage.dealer.id, car, TODAY - 1_400 * DAY, until=until)
        async with garage.store.write() as connection:
            term = {"start_on": TODAY - 1_400 * DAY, "end_on": end_on, "source": "test", "currency": "EUR"}
            known = {"vehicle_id": car, "owner_id": owner_id, "kind": ContractKind.LEASE}
            await contracts.add(connection, garage.dealer.id, {**lease, **known, **term}, now=NOW)
            if number % 2 == 0:
                values = {
                    "owner_id": owner_id,
                    "vehicle_id": None if number % 4 else car,
                    "kind": OutcomeKind.LEASE,
                    "happened_on": end_on - 10 * DAY,
                    "amount": None,
                    "currency": None,
                    "sender_id": str(number),
                    "source": "test",
                }
                await outcomes.put(connection, garage.dealer.id, values, now=NOW)
    return garage
