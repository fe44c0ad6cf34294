"""``milepost-sim car``: one car with an adapter in its port: an ELM327, or a serial one on its CAN bus."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import click

from milepost_protocol.errors import VinError
from milepost_protocol.identity import check_vin
from milepost_simulator.car import garage
from milepost_simulator.car.can_garage import example_car
from milepost_simulator.car.can_port import serve_interface, serve_slcan
from milepost_simulator.car.framing import PROTOCOLS
from milepost_simulator.car.garage import CHAOS, HABITS, CarChoice
from milepost_simulator.car.models import Powertrain
from milepost_simulator.car.physics import SimulatedCar
from milepost_simulator.car.port import serve_pty, serve_tcp
from milepost_simulator.clock import RunningClock
from milepost_simulator.errors import SimulatorError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from milepost_simulator.car.snapshot import Vehicle
    from milepost_simulator.clock import Clock

EXAMPLE = """
\b
Example: a car on a pseudo-terminal, that an agent reads as if it were an adapter:
  milepost-sim car --pty build/car1 --seed 7 --habits shuttle
  milepost-agent run --config agent.toml      # with port = "build/car1"
  milepost-sim car --adapter slcan --pty build/can1    # with interface = "slcan", channel = "build/can1"
  milepost-sim car --can vcan0                         # with interface = "socketcan", channel = "vcan0"
"""


ADAPTERS = ("elm327", "slcan")


class Place(NamedTuple):
    """Who answers where: an adapter on a pseudo-terminal with a link, an ELM327 on TCP, a car on CAN."""

    adapter: str
    pty: Path | None
    tcp: int | None
    can: str | None
    host: str


def _check_vin(_: click.Context, __: click.Parameter, vin: str | None) -> str | None:
    try:
        return None if vin is None else check_vin(vin)
    except VinError as error:
        raise click.BadParameter(str(error)) from error


@click.command("car", epilog=EXAMPLE)
@click.option(
    "--adapter",
    type=click.Choice(ADAPTERS),
    default="elm327",
    show_default=True,
    help="What is in its port; slcan: the made-up car of the agent's profile example-combustion.",
)
@click.option(
    "--pty", type=click.Path(path_type=Path), help="Serve on a pseudo-terminal, reached by this link."
)
@click.option("--tcp", type=click.IntRange(0, 65535), help="Serve on this TCP port (0: any free one).")
@click.option(
    "--can", help="Serve the car that slcan serves on this interface of SocketCAN, without an adapter."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address for --tcp.")
@click.option(
    "--seed", type=int, default=1, show_default=True, help="All of the car's chances follow from it."
)
@click.option(
    "--powertrain",
    type=click.Choice([p.value for p in Powertrain]),
    default="combustion",
    show_default=True,
    help="What drives it.",
)
@click.option(
    "--habits", type=click.Choice(list(HABITS)), default="shuttle", show_default=True, help="Its trips."
)
@click.option(
    "--drive",
    type=click.Path(path_type=Path),
    help="Play this recorded drive (CSV) instead of simulating one.",
)
@click.option(
    "--speed-up",
    type=click.FloatRange(0, 10_000, min_open=True),
    default=1.0,
    show_default=True,
    help="Simulated seconds in each second.",
)
@click.option(
    "--chaos", type=click.Choice(list(CHAOS)), default="none", show_default=True, help="How bad the line is."
)
@click.option(
    "--fault", "faults", multiple=True, metavar="CODE", help="A fault that it has, such as P0301; repeatable."
)
@click.option("--vin", callback=_check_vin, help="Its VIN (default: made up from the seed).")
@click.option("--odometer-km", type=click.FloatRange(0, 4_000_000), help="Its odometer at the start.")
@click.option(
    "--protocol",
    type=click.IntRange(min(PROTOCOLS), max(PROTOCOLS)),
    default=6,
    show_default=True,
    help="Bus, as in ATSP.",
)
@click.option("--two-units", is_flag=True, help="A transmission unit answers too.")
@click.option("--clears-codes", is_flag=True, help="Mode 04 is obeyed instead of refused.")
def car(
    *,
    adapter: str,
    pty: Path | None,
    tcp: int | None,
    can: str | None,
    host: str,
    drive: Path | None,
    speed_up: float,
    **choices: object,
) -> None:
    """Serve one car through an adapter until stopped."""
    if sum(place is not None for place in (pty, tcp, can)) != 1:
        raise click.UsageError("say where to serve: either --pty LINK or --tcp PORT or --can INTERFACE")
    if adapter == "slcan" and tcp is not None:
        raise click.UsageError("an adapter of CAN is a serial one: say --pty LINK")
    choice = _choice(**choices)
    try:
        asyncio.run(_serve(choice, Place(adapter, pty, tcp, can, host), drive, speed_up))
    except SimulatorError as error:
        raise click.ClickException(str(error)) from error


def _choice(**choices: object) -> CarChoice:
    powertrain = Powertrain(str(choices.pop("powertrain")))
    return CarChoice(powertrain=powertrain, **choices)  # type: ignore[arg-type]


async def _serve(choice: CarChoice, place: Place, drive: Path | None, speed_up: float) -> None:
    clock = RunningClock(time.time(), speed_up)
    now_s = clock.now_s()
    vehicle = (
        garage.simulated_car(choice, now_s) if drive is None else garage.recorded_car(choice, drive, now_s)
    )
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with _served(vehicle, clock, choice, place) as where:
        vin = vehicle.snapshot(now_s).vin
        what = choice.powertrain.value if drive is None else f"recorded drive {drive.name}"
        click.echo(f"{vin} ({what}) answers at {where}; Ctrl-C ends it")
        await stopped.wait()


@asynccontextmanager
async def _served(vehicle: Vehicle, clock: Clock, choice: CarChoice, place: Place) -> AsyncIterator[str]:
    """Serve ``vehicle``; yields where."""
    if place.can is not None or place.adapter == "slcan":
        wear = vehicle.wear if isinstance(vehicle, SimulatedCar) else None
        car = example_car(vehicle, clock, Random(f"chaos-{choice.seed}"), chaos=choice.chaos, wear=wear)
        served = serve_slcan(car, place.pty) if place.can is None else serve_interface(car, place.can)
        async with served as where:
            yield str(where)
        return
    adapter, chaos = garage.adapter(vehicle, clock, choice), garage.chaos(choice)
    if place.tcp is None:
        async with serve_pty(adapter, chaos, place.pty) as path:
            yield str(path)
    else:
        async with serve_tcp(adapter, chaos, place.host, place.tcp) as port:
            yield f"tcp://{place.host}:{port}"
