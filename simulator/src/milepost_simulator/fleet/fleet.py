"""A fleet: what a dealer knows of it, and the truth behind it, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from milepost_simulator.car.garage import MAKER, VIN_LETTERS
from milepost_simulator.fleet.blocks import BLOCK_OWNERS, Stream, blocks, generator
from milepost_simulator.fleet.faults import FaultEvent, draw_faults
from milepost_simulator.fleet.intent import Intent, draw_intent
from milepost_simulator.fleet.makes import FLEET_MODELS, FleetModel
from milepost_simulator.fleet.people import Person, draw_people
from milepost_simulator.fleet.population import MONTH_DAYS, YEAR_DAYS, Contract, Population, draw_population
from milepost_simulator.fleet.usage import draw_usage
from milepost_simulator.fleet.workshop import Service, WorkshopLife, live

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

AHEAD_DAYS = 365
DUE_SOON_DAYS = 182


class FleetPlan(NamedTuple):
    """What a fleet follows from. Days count from 1970; the history ends with the day before ``as_of_day``."""

    owners: int
    seed: int
    months: int
    as_of_day: int

    @property
    def first_day(self) -> int:
        """The first day of the history."""
        return self.as_of_day - round(self.months * MONTH_DAYS)


@dataclass(frozen=True, slots=True)
class Block:
    """A run of owners with their vehicles and what happens to them, a year beyond the as-of day included.

    Attributes:
        number: which block of the fleet it is.
        plan: what it follows from.
        owners: how many owners are in it.
        people: by owner.
        population: by vehicle.
        km: float64 of shape (vehicles, days) from ``plan.first_day`` on.
        level_km: the hidden level of usage, of the same shape.
        life: wear, services and due days.
        faults: what broke.
        intent: who replaces, and when.
    """

    number: int
    plan: FleetPlan
    owners: int
    people: list[Person]
    population: Population
    km: NDArray[np.float64]
    level_km: NDArray[np.float64]
    life: WorkshopLife
    faults: list[FaultEvent]
    intent: Intent

    @property
    def history_days(self) -> int:
        """How many of the days lie before the as-of day."""
        return self.plan.as_of_day - self.plan.first_day

    def vehicles(self) -> Iterator[FleetVehicle]:
        """The vehicles of the wanted owners, in order."""
        for row in np.flatnonzero(self.population.owner < self.owners):
            yield FleetVehicle(self, int(row))


@dataclass(frozen=True, slots=True)
class FleetVehicle:
    """One vehicle of a block: a view of its row."""

    block: Block
    row: int

    @property
    def owner_number(self) -> int:
        """Which owner of the fleet has it, from 0."""
        return self.block.number * BLOCK_OWNERS + int(self.block.population.owner[self.row])

    @property
    def model(self) -> FleetModel:
        """What it is."""
        return FLEET_MODELS[int(self.block.population.model[self.row])]

    @property
    def vin(self) -> str:
        """A VIN that no real car has: its maker does not exist."""
        number, text = int(self.block.population.vin_number[self.row]), ""
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
        return int(self.block.population.registered_day[self.row])

    @property
    def owned_since_day(self) -> int:
        """When its owner got it."""
        return int(self.block.population.owned_since_day[self.row])

    @property
    def contract(self) -> Contract:
        """How it is paid for."""
        return Contract(int(self.block.population.contract[self.row]))

    def odometer_km(self) -> NDArray[np.float64]:
        """At the end of each day."""
        start_km = float(self.block.population.odometer_m[self.row]) / 1000
        odometer: NDArray[np.float64] = start_km + np.cumsum(self.block.km[self.row])
        return odometer

    def services(self) -> list[Service]:
        """All that was renewed, oldest first; some of it elsewhere, which the dealer never heard of."""
        return [service for service in self.block.life.services if service.vehicle == self.row]

    def faults(self) -> list[FaultEvent]:
        """All faults, oldest first."""
        return [fault for fault in self.block.faults if fault.vehicle == self.row]


def make_blocks(plan: FleetPlan) -> Iterator[Block]:
    """The fleet, a block at a time, so that no more than one need be in memory."""
    for number, owners in blocks(plan.owners):
        yield make_block(plan, number, owners)


def make_block(plan: FleetPlan, number: int, owners: int) -> Block:
    """One block, drawn whole: so its first owners do not depend on how many are wanted."""

    def stream(which: Stream) -> np.random.Generator:
        return generator(plan.seed, number, which)

    days = plan.as_of_day - plan.first_day + AHEAD_DAYS
    population = draw_population(stream(Stream.POPULATION), plan.first_day, plan.as_of_day)
    km, level_km = draw_usage(stream(Stream.USAGE), population, plan.first_day, days)
    life = live(stream(Stream.WORKSHOP), population, km, plan.first_day, plan.as_of_day)
    faults = draw_faults(stream(Stream.FAULTS), population, km, life.visited, plan.first_day)
    intent = draw_intent(
        stream(Stream.INTENT),
        population,
        plan.as_of_day,
        excess_share=excess_share(plan, population, km),
        has_open_fault=_has_open_fault(faults, len(population), plan.as_of_day),
        items_due_soon=(life.due_day <= plan.as_of_day + DUE_SOON_DAYS).sum(axis=1),
    )
    people = draw_people(stream(Stream.PEOPLE), BLOCK_OWNERS, number * BLOCK_OWNERS)
    return Block(number, plan, owners, people, population, km, level_km, life, faults, intent)


def _has_open_fault(faults: list[FaultEvent], count: int, as_of_day: int) -> NDArray[np.bool_]:
    is_open = np.zeros(count, dtype=bool)
    for fault in faults:
        is_open[fault.vehicle] |= fault.confirmed_day <= as_of_day < fault.mended_day
    return is_open


def excess_share(plan: FleetPlan, population: Population, km: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kilometres a year over the lease's allowance, as a share of it; 0 without a lease."""
    history_days = plan.as_of_day - plan.first_day
    km_year = km[:, :history_days].mean(axis=1) * YEAR_DAYS
    allowance = np.maximum(population.allowance_km_year, 1)
    return np.where(population.allowance_km_year > 0, np.maximum(km_year / allowance - 1, 0.0), 0.0)
