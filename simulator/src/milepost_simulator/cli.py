"""``milepost-sim``: cars, fleets, and a demonstration of the whole road."""

from __future__ import annotations

import click

from milepost_simulator.commands.car import car
from milepost_simulator.commands.demo import demo
from milepost_simulator.commands.fleet import fleet
from milepost_simulator.commands.world import world


@click.group(epilog="Example: milepost-sim car --pty build/car1 --habits shuttle")
@click.version_option(package_name="milepost-simulator", prog_name="milepost-sim")
def main() -> None:
    """Simulated cars with physics, and fleets of owners whose hidden truth is known."""


main.add_command(car)
main.add_command(fleet)
main.add_command(demo)
main.add_command(world)
