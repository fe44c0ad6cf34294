"""Cars that are driven now: each with an adapter on a pseudo-terminal and a real agent that reads it."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from milepost_agent.health.endpoint import ask
from milepost_simulator.car.garage import CarChoice, adapter, chaos, simulated_car
from milepost_simulator.car.models import Powertrain
from milepost_simulator.car.pids import SPEED
from milepost_simulator.car.port import serve_pty
from milepost_simulator.car.recorded import RecordedCar, load_drive
from milepost_simulator.car.short_drive import make_short_drive
from milepost_simulator.clock import RunningClock
from milepost_simulator.demo.processes import Child, program, running
from milepost_simulator.demo.server import HOST
from milepost_simulator.fleet.population import YEAR_DAYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from milepost_simulator.car.snapshot import Snapshot, Vehicle
    from milepost_simulator.clock import Clock
    from milepost_simulator.demo.device import DeviceFolder
    from milepost_simulator.demo.plan import DemoPlan
    from milepost_simulator.fleet.fleet import FleetVehicle

LIVE_FAULT = "P0301"
ANCHOR_SIGMA_M = 500


@dataclass(frozen=True, slots=True)
class LiveCar:
    """A vehicle of the fleet that is driven now."""

    vehicle: FleetVehicle
    title: str
    drive: Path | None = None
    is_recorded: bool = False
    faults: tuple[str, ...] = ()

    @property
    def odometer_m(self) -> float:
        """Where its history has left it."""
        block = self.vehicle.block
        return 1000 * float(self.vehicle.odometer_km()[block.history_days - 1])

    def build(self, plan: DemoPlan, now_s: float) -> Vehicle:
        """The car, standing, about to set off."""
        if self.is_recorded:
            drive = load_drive(self.drive) if self.drive else make_short_drive(plan.seed)
            return RecordedCar(drive, self.vehicle.vin, now_s, lead_s=5.0)
        return simulated_car(self.choice(plan), now_s)

    def choice(self, plan: DemoPlan) -> CarChoice:
        """What the garage is told."""
        return CarChoice(
            seed=plan.seed + self.vehicle.row,
            powertrain=self.vehicle.model.powertrain,
            habits="errand" if plan.once else "shuttle",
            vin=self.vehicle.vin,
            odometer_km=self.odometer_m / 1000,
            age_years=(self.vehicle.block.plan.as_of_day - self.vehicle.registered_day) / YEAR_DAYS,
            faults=self.faults,
        )


def choose_live_cars(plan: DemoPlan, vehicles: Sequence[FleetVehicle]) -> list[LiveCar]:
    """One car of each powertrain, simulated, and one that plays the recorded drive; fewer in a tiny fleet."""
    talking = [v for v in vehicles if _may_go_on(v)]
    drive = plan.recorded_drive()
    found: list[LiveCar] = []

    def take(title: str, powertrain: Powertrain, *, has_odometer: bool, **more: object) -> None:
        taken = {car.vehicle.row for car in found}
        for vehicle in talking:
            model = vehicle.model
            fits = model.powertrain is powertrain and model.has_odometer is has_odometer
            if fits and vehicle.row not in taken:
                found.append(LiveCar(vehicle, f"{model.make} {model.name}, {title}", **more))  # type: ignore[arg-type]
                return

    recorded = f"plays the real drive {drive.name}" if drive else "plays a drive that the simulator made"
    take(recorded, Powertrain.COMBUSTION, has_odometer=False, drive=drive, is_recorded=True)
    take(
        "simulated, its engine about to misfire",
        Powertrain.COMBUSTION,
        has_odometer=True,
        faults=(LIVE_FAULT,),
    )
    take("simulated", Powertrain.HYBRID, has_odometer=False)
    take("simulated", Powertrain.EV, has_odometer=True)
    return found


def _may_go_on(vehicle: FleetVehicle) -> bool:
    """Whether the car still spoke yesterday, and has no fault that a fresh car would not know of."""
    as_of_day = vehicle.block.plan.as_of_day
    has_fault = any(fault.pending_day < as_of_day <= fault.mended_day for fault in vehicle.faults())
    return not has_fault and not vehicle.silent_from_day


@dataclass(frozen=True, slots=True)
class LiveAgent:
    """A running agent, its car, and what one can ask of both."""

    name: str
    look: Callable[[], Snapshot]
    child: Child
    socket: Path

    def motion(self) -> str:
        """What the car does now, in a word or its speed."""
        now = self.look()
        if not now.is_ignition_on:
            return f"{self.name} parked"
        speed_km_h = now.values.get(SPEED, 0.0)
        return f"{self.name} {speed_km_h:.0f} km/h" if speed_km_h >= 0.5 else f"{self.name} standing"

    def status(self) -> dict[str, object]:
        """What ``milepost-agent status --json`` shows.

        Raises:
            StatusError: it does not answer.
        """
        return ask(self.socket)


@contextlib.asynccontextmanager
async def driving(
    plan: DemoPlan, cars: Sequence[LiveCar], folders: Sequence[DeviceFolder], mqtt_port: int, short: Path
) -> AsyncIterator[list[LiveAgent]]:
    """All live cars on their pseudo-terminals, each with its agent, for as long as the block lasts.

    ``short`` is a folder with a short path: the name of a Unix socket holds a hundred bytes only.
    """
    async with contextlib.AsyncExitStack() as stack:
        agents = []
        for number, (car, folder) in enumerate(zip(cars, folders, strict=True), start=1):
            clock = RunningClock(time.time())
            vehicle = car.build(plan, clock.now_s())
            elm = adapter(vehicle, clock, car.choice(plan))
            port = await stack.enter_async_context(
                serve_pty(elm, chaos(car.choice(plan)), short / f"car{number}")
            )
            socket = short / f"agent{number}.sock"
            config = folder.path / "agent.toml"
            config.write_text(_config(car, folder, port, socket, mqtt_port))
            command = [program("milepost-agent"), "run", "--config", str(config)]
            log = plan.logs / f"agent-{folder.device_id}.log"
            child = await stack.enter_async_context(running(f"agent {folder.device_id}", command, log))
            agents.append(LiveAgent(car.vehicle.model.name, partial(_look, vehicle, clock), child, socket))
        yield agents


def _look(vehicle: Vehicle, clock: Clock) -> Snapshot:
    return vehicle.snapshot(clock.now_s())


def _config(car: LiveCar, folder: DeviceFolder, port: Path, socket: Path, mqtt_port: int) -> str:
    """The agent's configuration; strings of JSON are strings of TOML too."""
    anchor = ""
    if not car.vehicle.model.has_odometer:
        anchor = (
            f'anchor_odometer_m = {car.odometer_m:.1f}\nanchor_at = "{time.strftime("%Y-%m-%d")}"\n'
            f"anchor_sigma_m = {ANCHOR_SIGMA_M}\n"
        )
    return f"""\
# Written by milepost-sim demo.
[device]
id = {json.dumps(folder.device_id)}
secret_file = {json.dumps(str(folder.secret_file.absolute()))}

[vehicle]
{anchor}
[[source]]
kind = "elm327"
port = {json.dumps(str(port))}

[buffer]
path = {json.dumps(str(folder.buffer.absolute()))}
commit_interval_s = 2.0

[uplink]
host = "{HOST}"
port = {mqtt_port}
batch_wait_s = 3.0

[health]
socket = {json.dumps(str(socket))}
"""
