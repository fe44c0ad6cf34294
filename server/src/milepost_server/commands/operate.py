"""``run``, ``reproject``, ``config`` and ``broker``: what keeps an installation going."""

from __future__ import annotations

from pathlib import Path

import click

from milepost_protocol.signals import catalogue
from milepost_server import app, logs, secret_files
from milepost_server import settings as settings_module
from milepost_server.broker import credentials, mosquitto, rules
from milepost_server.commands.common import (
    CommandError,
    command,
    data_dir_option,
    load_settings,
    now,
    opened,
    the_dealer,
)
from milepost_server.errors import ServerError
from milepost_server.ingest.projection import Projector
from milepost_server.ingest.reproject import reproject_device
from milepost_server.store import devices

DEVICES_A_PAGE = 500


@click.command(epilog="Example: milepost-server run --data-dir milepost-data")
@data_dir_option
@command
async def run(data_dir: Path) -> None:
    """Run the server: broker, ingest, derivation, pages and API, until SIGTERM or Ctrl-C."""
    settings = load_settings(data_dir)
    logs.configure(settings.log_level, settings.log_format)
    await app.run(settings)


@click.command(epilog="Example: milepost-server reproject --device gw-000017")
@data_dir_option
@click.option("--dealer", "dealer_id", type=int, help="The dealer's id, where there are several.")
@click.option("--device", "device_id", default=None, help="One device; by default all of the dealer's.")
@command
async def reproject(data_dir: Path, dealer_id: int | None, device_id: str | None) -> None:
    """Make readings from the archive again, one transaction a device. The server may be running."""
    async with opened(data_dir) as (settings, store):
        projector = Projector(catalogue(), settings.ingest_future_s_max)
        async with store.read() as connection:
            of = await the_dealer(connection, dealer_id)
            ids = [device_id] if device_id else []
            if device_id:
                await devices.one(connection, of.id, device_id)
        if not ids:
            async with store.read() as connection:
                while page := await devices.page(
                    connection, of.id, after_id=ids[-1] if ids else "", limit=DEVICES_A_PAGE
                ):
                    ids += [row.id for row in page]
        for one in ids:
            async with store.write() as connection:
                made = await reproject_device(connection, projector, of.id, one, now=now())
            click.echo(f"{one}\t{made} readings")


@click.group()
def config() -> None:
    """Settings of the server."""


@config.command("show", epilog="Example: milepost-server config show")
@data_dir_option
def config_show(data_dir: Path) -> None:
    """Print every setting with the value that holds, as TOML, and what it means."""
    try:
        settings = load_settings(data_dir)
    except ServerError as error:
        raise CommandError(str(error)) from error
    for line in settings_module.as_toml(settings):
        click.echo(line)


@config.command("docs", epilog="Example: milepost-server config docs > docs/server-settings.md")
def config_docs() -> None:
    """Print the page of all settings."""
    click.echo(settings_module.document(), nl=False)


@click.group()
def broker() -> None:
    """Access rules for brokers other than the embedded one."""


@broker.command("mosquitto", epilog="Example: milepost-server broker mosquitto --out /etc/mosquitto/milepost")
@data_dir_option
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Where to write."
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address that Mosquitto listens on for devices."
)
@click.option("--port", default=1883, show_default=True, help="Port for devices.")
@click.option("--server-port", default=1884, show_default=True, help="Port on 127.0.0.1 for the server.")
@command
async def broker_mosquitto(data_dir: Path, out: Path, host: str, port: int, server_port: int) -> None:
    """Write Mosquitto's password file, ACL and a configuration; again whenever devices change."""
    async with opened(data_dir) as (settings, store), store.read() as connection:
        stored = list(await devices.credentials(connection))
    password = secret_files.read(settings.secrets_dir / secret_files.INGEST_PASSWORD)
    users = [(rules.INGEST_USER, credentials.credential(password)), *stored]
    _write_mosquitto(out, users, host, port, server_port)
    click.echo(f"wrote {len(stored)} devices to {out}; the server uses it with")
    click.echo(f'  broker = "external"\n  broker_url = "mqtt://127.0.0.1:{server_port}"')
    click.echo("Mosquitto must be able to read the files: chown them to its user.")


def _write_mosquitto(
    folder: Path, users: list[tuple[str, str]], host: str, port: int, server_port: int
) -> None:
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    secret_files.write_private(folder / mosquitto.PASSWORDS_FILE, mosquitto.password_file(users))
    secret_files.write_private(folder / mosquitto.ACL_FILE, mosquitto.acl_file())
    conf = mosquitto.conf_file(folder.absolute(), host, port, server_port)
    (folder / mosquitto.CONF_FILE).write_text(conf, encoding="utf-8")
