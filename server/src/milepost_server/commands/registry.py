"""``dealer``, ``user`` and ``device``: who and what is registered."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import click
from sqlalchemy.exc import IntegrityError

from milepost_protocol.errors import ProtocolError
from milepost_protocol.identity import check_device_id, check_vin
from milepost_server import secret_files
from milepost_server.broker import credentials
from milepost_server.commands.common import (
    command,
    currency_option,
    data_dir_option,
    now,
    opened,
    the_dealer,
)
from milepost_server.commands.install import check_timezone, new_password
from milepost_server.errors import ConflictError, NotFoundError
from milepost_server.people.errors import PasswordRefusedError
from milepost_server.people.passwords import Passwords
from milepost_server.store import dealers, devices, sessions, staff, vehicles
from milepost_server.store.schema import Role

ROLES = [role.value for role in Role]


@click.group()
def dealer() -> None:
    """Dealers, the tenants of this server."""


@dealer.command("add", epilog="Example: milepost-server dealer add --name 'Syd Motors'")
@data_dir_option
@click.option("--name", required=True, help="The dealer's name.")
@click.option("--timezone", default="UTC", show_default=True, help="The dealer's time zone (IANA name).")
@currency_option
@command
async def dealer_add(data_dir: Path, name: str, timezone: str, currency: str) -> None:
    """Add a dealer and print its id."""
    check_timezone(timezone)
    async with opened(data_dir) as (_, store), store.write() as connection:
        dealer_id = await dealers.add(connection, name=name, timezone=timezone, currency=currency, now=now())
    click.echo(f"dealer {dealer_id}")


@dealer.command("list", epilog="Example: milepost-server dealer list")
@data_dir_option
@command
async def dealer_list(data_dir: Path) -> None:
    """List all dealers."""
    async with opened(data_dir) as (_, store), store.read() as connection:
        for row in await dealers.every(connection):
            click.echo(f"{row.id}\t{row.name}\t{row.timezone}")


@click.group()
def user() -> None:
    """Staff of a dealer, who may log in."""


@user.command("add", epilog="Example: milepost-server user add --email bo@nord.example --role service")
@data_dir_option
@click.option("--dealer", "dealer_id", type=int, help="The dealer's id, where there are several.")
@click.option("--email", required=True, help="Mail address, by which the user logs in.")
@click.option("--name", default=None, help="The user's name; by default the mail address.")
@click.option("--role", type=click.Choice(ROLES), default=Role.SERVICE.value, show_default=True)
@click.option("--ask", is_flag=True, help="Ask for the password instead of generating one.")
@command
async def user_add(
    data_dir: Path, dealer_id: int | None, email: str, name: str | None, role: str, *, ask: bool
) -> None:
    """Add a user; a generated password is printed once."""
    password, password_hash = await _chosen_password(ask=ask)
    async with opened(data_dir) as (_, store):
        try:
            async with store.write() as connection:
                of = await the_dealer(connection, dealer_id)
                await staff.add(
                    connection,
                    of.id,
                    email=email,
                    name=name or email,
                    role=Role(role),
                    password_hash=password_hash,
                    now=now(),
                )
        except IntegrityError as error:
            raise ConflictError("user", email, "is taken already") from error
    click.echo(f"user {email} of dealer {of.id} ({of.name}), role {role}")
    if not ask:
        click.echo(f"password {password}")


@user.command("password", epilog="Example: milepost-server user password --email bo@nord.example")
@data_dir_option
@click.option("--email", required=True, help="Mail address of the user.")
@click.option("--ask", is_flag=True, help="Ask for the password instead of generating one.")
@command
async def user_password(data_dir: Path, email: str, *, ask: bool) -> None:
    """Give a user a new password, and end all sessions that began with the old one."""
    password, password_hash = await _chosen_password(ask=ask)
    async with opened(data_dir) as (_, store), store.write() as connection:
        known = await staff.login_of(connection, email)
        if known is None:
            raise NotFoundError("user", email)
        await staff.set_password(connection, known.dealer_id, known.staff_id, password_hash)
        ended = await sessions.revoke_all(connection, known.dealer_id, known.staff_id, now())
    click.echo(f"user {email} has a new password; {ended} sessions ended")
    if not ask:
        click.echo(f"password {password}")


async def _chosen_password(*, ask: bool) -> tuple[str, str]:
    """(password, its hash): typed twice, or made here."""
    password = click.prompt("Password", hide_input=True, confirmation_prompt=True) if ask else new_password()
    try:
        return password, await Passwords().hash(password)
    except PasswordRefusedError as error:
        raise click.UsageError(str(error)) from error


@click.group()
def device() -> None:
    """Devices: the gateways that may send."""


@device.command("add", epilog="Example: milepost-server device add gw-17 --vin 1M8GDM9AXKP042788 --out gw/")
@data_dir_option
@click.argument("device_id", metavar="ID")
@click.option("--dealer", "dealer_id", type=int, help="The dealer's id, where there are several.")
@click.option("--vin", default=None, help="Install it in the dealer's vehicle with this VIN.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    default=None,
    help="When it was installed (UTC); by default now.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write agent.toml and the secret's file into this directory instead of printing them.",
)
@command
async def device_add(
    *,
    data_dir: Path,
    device_id: str,
    dealer_id: int | None,
    vin: str | None,
    since: dt.datetime | None,
    out: Path | None,
) -> None:
    """Register a device; its secret is shown once, with a configuration for the agent."""
    try:
        check_device_id(device_id)
        vin = check_vin(vin) if vin else None
    except ProtocolError as error:
        raise click.BadParameter(str(error)) from error
    secret = credentials.new_secret()
    async with opened(data_dir) as (settings, store):
        async with store.write() as connection:
            of = await the_dealer(connection, dealer_id)
            stored = credentials.credential(secret)
            await devices.add(connection, of.id, device_id, credential=stored, now=now())
            if vin:
                vehicle = await vehicles.by_vin(connection, of.id, vin)
                if vehicle is None:
                    raise NotFoundError("vehicle with VIN", vin)
                start_at = since.replace(tzinfo=dt.UTC) if since else now()
                await devices.install(connection, of.id, device_id, vehicle.id, start_at=start_at)
        text = agent_config(device_id, settings.broker_host, settings.broker_port, out)
    if out is None:
        click.echo(text)
        click.echo(f"# The secret, shown once, for the file that secret_file names:\n{secret}")
        return
    _write_agent(out, text, secret)
    click.echo(f"wrote {out / 'agent.toml'} and {out / 'device.secret'}")


@device.command("revoke", epilog="Example: milepost-server device revoke gw-000017")
@data_dir_option
@click.argument("device_id", metavar="ID")
@click.option("--dealer", "dealer_id", type=int, help="The dealer's id, where there are several.")
@command
async def device_revoke(data_dir: Path, device_id: str, dealer_id: int | None) -> None:
    """Let a device in no more; a running server disconnects it. What it has sent stays."""
    async with opened(data_dir) as (_, store), store.write() as connection:
        of = await the_dealer(connection, dealer_id)
        await devices.revoke(connection, of.id, device_id, now=now())
    click.echo(f"device {device_id} is revoked")


def agent_config(device_id: str, host: str, port: int, folder: Path | None) -> str:
    """A configuration of the agent that lacks its sources only."""
    secret_file = str((folder / "device.secret").absolute()) if folder else "/etc/milepost/device.secret"
    return f"""\
# Configuration of milepost-agent; `milepost-agent config show` explains every setting.
[device]
id = {json.dumps(device_id)}
secret_file = {json.dumps(secret_file)}

[uplink]
host = {json.dumps(host)}
port = {port}

[[source]]
kind = "elm327"
port = "/dev/ttyUSB0"
"""


def _write_agent(folder: Path, config: str, secret: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "agent.toml").write_text(config, encoding="utf-8")
    secret_files.write_private(folder / "device.secret", secret)
