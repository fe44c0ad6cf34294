"""``milepost-server``: the command line."""

from __future__ import annotations

import click

from milepost_server.commands import (
    dealer_files,
    derive,
    device_config,
    evaluate,
    install,
    operate,
    quarantine,
    readiness,
    registry,
)


@click.group(epilog="Example: milepost-server init --dealer 'Nord Motors' --email ada@nord.example")
@click.version_option(package_name="milepost-server", prog_name="milepost-server")
def main() -> None:
    """Take in what cars send, derive what each needs and when, and serve it to the dealer's teams."""


for part in (
    install.init,
    install.migrate,
    operate.run,
    registry.dealer,
    registry.user,
    registry.device,
    quarantine.quarantine,
    operate.reproject,
    derive.derive,
    readiness.readiness,
    dealer_files.schedule,
    dealer_files.plan,
    operate.broker,
    operate.config,
    evaluate.evaluate,
):
    main.add_command(part)
registry.device.add_command(device_config.configure)
registry.device.add_command(device_config.show)
