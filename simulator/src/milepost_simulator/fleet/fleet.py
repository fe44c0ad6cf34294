"""A fleet: what a dealer knows of it, and the truth behind it, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from milepost_simulator.car.garage import MAKER, VIN_LETTERS
from milepost_simulator.fleet.blocks import BLOCK_OWNERS, Stream, blocks, generator
from milepost_simulator.fleet.items import ITEMS, Channel
from milepost_simulator.fleet.lot import FleetPlan, Lot, make_lot
from milepost_simulator.fleet.makes import FLEET_MODELS, FleetModel
from milepost_simulator.fleet.people import Person, draw_people
from milepost_simulator.fleet.population import Contract, draw_population
from milepost_simulator.fleet.state import ITEM_OF_CHANNEL, draw_start
from milepost_simulator.fleet.turnover import GENERATIONS_MAX, successors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from milepost_simulator.fleet.faults import FaultEvent
    from milepost_simulator.fleet.workshop import Service


@dataclass(frozen=True, slots=True)
class Block:
    """A run of owners with their vehicles.

    Attributes:
        number: which block of the fleet it is.
        plan: what it follows from.
        owners: how many owners are wanted of it.
        first: the vehicles of the first day.
        later: those that came after them, and the same cars in other hands; none in a settled fleet.
    """

    number: int
    plan: FleetPlan
    owners: int
    first: Lot
    later: tuple[Lot, ...]

    @property
    def history_days(self) -> int:
        """How many of the days lie before the as-of day."""
        return self.plan.as_of_day - self.plan.first_day

    @property
    def lots(self) -> tuple[Lot, ...]:
        """All of them."""
        return self.first, *self.later

    def people(self) -> list[Person]:
        """Names and contacts of all owners of the block, wanted or not."""
        rng = generator(self.plan.seed, self.number, Stream.PEOPLE)
        return draw_people(rng, BLOCK_OWNERS, self.number * BLOCK_OWNERS)

    def vehicles(self) -> Iterator[FleetVehicle]:
        """The vehicles that the wanted owners had on the first day, in order."""
        for row in np.flatnonzero(self.first.population.owner < self.owners):
            yield FleetVehicle(self, int(row))


@dataclass(frozen=True, slots=True)
class FleetVehicle:
    """One vehicle of a block's first day: a view of its row."""

    block: Block
    row: int

    @property
    def lot(self) -> Lot:
        """Whose row it is."""
        return self.block.first

    @property
    def owner_number(self) -> int:
        """Which owner of the fleet has it, from 0."""
        return self.block.number * BLOCK_OWNERS + int(self.lot.population.owner[self.row])

    @property
    def model(self) -> FleetModel:
        """What it is."""
        return FLEET_MODELS[int(self.lot.population.model[self.row])]

    @property
    def vin(self) -> str:
        """A VIN that no real car has: its maker does not exist."""
        number, text = int(self.lot.population.vin_number[self.row]), ""
        for _ in range(9):
            number, digit = divmod(number, len(VIN_LETTERS))
            text += VIN_LETTERS[digit]
        return f"{MAKER}{text}{(self.block.number * 1000 + self.row) % 100_000:05d}"

    @property
    def device_id(self) -> str:
        """The name of the device that sits in it."""
        return f"car-{self.block.number:04d}-{self.row:03d}"

    @property
    def registered_day(self) -> int:
        """When it was first registered."""
        return int(self.lot.population.registered_day[self.row])

    @property
    def owned_since_day(self) -> int:
        """When its owner got it."""
        return int(self.lot.population.owned_since_day[self.row])

    @property
    def silent_from_day(self) -> int:
        """When its device fell silent; 0 where it never did."""
        return int(self.lot.population.silent_from_day[self.row])

    @property
    def contract(self) -> Contract:
        """How it is paid for."""
        return Contract(int(self.lot.population.contract[self.row]))

    def km(self) -> NDArray[np.float64]:
        """Driven on each day."""
        km: NDArray[np.float64] = self.lot.usage.km[self.row]
        return km

    def odometer_km(self) -> NDArray[np.float64]:
        """At the end of each day."""
        odometer: NDArray[np.float64] = (
            float(self.lot.population.odometer_m[self.row]) / 1000 + self.lot.curves.value[self.row]
        )
        return odometer

    def worn(self, days: int) -> NDArray[np.float64]:
        """Used shares (days, channels) at the end of the first ``days``; 0 for what it does not have."""
        day = np.arange(days)
        used = np.zeros((days, len(Channel)))
        for channel in Channel:
            item = int(ITEM_OF_CHANNEL[channel])
            if self.model.powertrain in ITEMS[item].powertrains:
                rows, items = np.full(days, self.row), np.full(days, item)
                used[:, channel] = self.lot.life.lives.worn(rows, items, day)
        return used

    def battery_health(self, days: int) -> NDArray[np.float64]:
        """Health of the 12 V battery at the end of the first ``days``."""
        return self.lot.life.battery_health(np.full(days, self.row), np.arange(days))

    def services(self) -> list[Service]:
        """All that was renewed before the as-of day, oldest first; some of it the dealer never heard of."""
        return self.lot.life.services.of(self.row, self.block.plan.as_of_day)

    def faults(self) -> list[FaultEvent]:
        """All faults, oldest first."""
        return self.lot.faults.of(self.row)


def make_blocks(plan: FleetPlan) -> Iterator[Block]:
    """The fleet, a block at a time, so that no more than one need be in memory."""
    for number, owners in blocks(plan.owners):
        yield make_block(plan, number, owners)


def make_block(plan: FleetPlan, number: int, owners: int) -> Block:
    """One block, drawn whole: so its first owners do not depend on how many are wanted."""
    rng = generator(plan.seed, number, Stream.POPULATION)
    over_before = plan.as_of_day if plan.settled else plan.first_day
    people = draw_population(rng, plan.first_day, plan.as_of_day, contracts_last_to_day=over_before)
    lots = [make_lot(plan, number, 0, people, draw_start(rng, people))]
    first_car = len(people)
    while not plan.settled and len(lots) < GENERATIONS_MAX:
        rng = generator(plan.seed, number, Stream.TURNOVER, len(lots))
        found = successors(rng, plan, lots[-1], first_car)
        if found is None:
            break
        people, start = found
        first_car = max(first_car, int(people.car.max()) + 1)
        lots.append(make_lot(plan, number, len(lots), people, start))
    return Block(number, plan, owners, lots[0], tuple(lots[1:]))
