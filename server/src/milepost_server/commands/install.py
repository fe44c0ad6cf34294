"""``init`` and ``migrate``: make an installation, and bring its database up to date."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from milepost_server import secret_files
from milepost_server.commands.common import command, currency_option, data_dir_option, load_settings, now
from milepost_server.errors import InstallError, SettingsError
from milepost_server.people.passwords import Passwords
from milepost_server.settings import FILE_NAME, load
from milepost_server.store import dealers, migrations, staff
from milepost_server.store.engine import open_store
from milepost_server.store.schema import Role

if TYPE_CHECKING:
    from milepost_server.settings import Settings

PASSWORD_BYTES = 15


class NewDealer(NamedTuple):
    """What a dealer is made of."""

    name: str
    timezone: str
    currency: str


@click.command(epilog="Example: milepost-server init --dealer 'Nord Motors' --email ada@nord.example")
@data_dir_option
@click.option("--dealer", "dealer_name", required=True, help="Name of the first dealer.")
@click.option("--timezone", default="UTC", show_default=True, help="The dealer's time zone (IANA name).")
@currency_option
@click.option("--email", required=True, help="Mail address of the first user, a manager.")
@click.option("--name", default="Manager", show_default=True, help="The user's name.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="Write a setting to server.toml.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write address, mail address and password to this file as JSON, readable by its owner only.",
)
@command
async def init(
    *,
    data_dir: Path,
    dealer_name: str,
    timezone: str,
    currency: str,
    email: str,
    name: str,
    pairs: tuple[str, ...],
    credentials: Path | None,
) -> None:
    """Make an installation: data directory, secrets, database, the first dealer and its manager.

    The manager's password is generated and printed once.
    """
    check_timezone(timezone)
    _write_settings(data_dir, pairs)
    settings = load_settings(data_dir)
    secret_files.make(settings.secrets_dir)
    password = new_password()
    of = NewDealer(dealer_name, timezone, currency)
    dealer_id = await _first_dealer(settings, of, email=email, name=name, password=password)
    address = f"http://{settings.http_host}:{settings.http_port}/"
    said = {"address": address, "dealer_id": dealer_id, "email": email, "password": password}
    if credentials is not None:
        secret_files.write_private(credentials, json.dumps(said))
    click.echo(f"Installed in {settings.data_dir}. The password is shown once:")
    for key, value in said.items():
        click.echo(f"  {key:10} {value}")
    click.echo(f"Next: milepost-server run --data-dir {data_dir}")


@click.command(epilog="Example: milepost-server migrate")
@data_dir_option
@command
async def migrate(data_dir: Path) -> None:
    """Bring the database to the revision that this version needs."""
    store = open_store(load_settings(data_dir).database)
    try:
        await migrations.upgrade(store)
    finally:
        await store.close()
    click.echo(f"The database is at revision {migrations.head()}.")


def new_password() -> str:
    """A password for a person, to be shown once."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def check_timezone(name: str) -> None:
    """Check a time zone's name.

    Raises:
        click.BadParameter: there is no such zone.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise click.BadParameter(f"{name!r} is no time zone; names are like Europe/Stockholm") from error


def _write_settings(data_dir: Path, pairs: tuple[str, ...]) -> None:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = data_dir / FILE_NAME
    if path.exists():
        if pairs:
            raise InstallError(f"{path} exists already; edit it instead of using --set")
        return
    lines = ["# Settings of this server; `milepost-server config docs` lists all of them.\n"]
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise SettingsError(pair, "is not NAME=VALUE")
        lines.append(f"{name.strip()} = {_toml(value.strip())}\n")
    path.write_text("".join(lines), encoding="utf-8")
    try:
        load(data_dir)
    except SettingsError:
        path.unlink()
        raise


def _toml(value: str) -> str:
    if value in {"true", "false"}:
        return value
    try:
        float(value)
    except ValueError:
        return json.dumps(value)
    return value


async def _first_dealer(
    settings: Settings, dealer: NewDealer, *, email: str, name: str, password: str
) -> int:
    store = open_store(settings.database)
    try:
        await migrations.upgrade(store)
        password_hash = await Passwords().hash(password)
        async with store.write() as connection:
            if await dealers.every(connection):
                raise InstallError(
                    "there is an installation already; see `milepost-server dealer add` and `user add`"
                )
            dealer_id = await dealers.add(connection, **dealer._asdict(), now=now())
            await staff.add(
                connection,
                dealer_id,
                email=email,
                name=name,
                role=Role.MANAGER,
                password_hash=password_hash,
                now=now(),
            )
    finally:
        await store.close()
    return dealer_id
