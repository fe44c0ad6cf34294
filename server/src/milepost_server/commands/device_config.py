"""``device configure`` and ``device show``: what is desired of a device, and what it says of itself."""

from __future__ import annotations

import datetime as dt
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aiomqtt
import click

from milepost_protocol.desired import DOCUMENT_VERSION
from milepost_protocol.device_schema import check_desired
from milepost_protocol.errors import DocumentError
from milepost_server.app import broker_address
from milepost_server.commands.common import command, data_dir_option, now, opened, the_dealer
from milepost_server.errors import ConfigRefusedError
from milepost_server.ingest.transport import new_client, publish_config
from milepost_server.store import device_configs, device_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from milepost_server.settings import Settings
    from milepost_server.store.device_facts import DeviceFacts
    from milepost_server.store.device_states import StateRow

FILE_BYTES_MAX: Final = 64 * 1024


@click.command(epilog="Example: milepost-server device configure gw-000017 --file desired.toml")
@data_dir_option
@click.argument("device_id", metavar="ID")
@click.option("--dealer", "dealer_id", type=int, help="The dealer's id, where there are several.")
@click.option(
    "--file",
    "path",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="TOML, or JSON where its name ends so: [settings.SECTION] tables and at most one [profile].",
)
@command
async def configure(data_dir: Path, device_id: str, dealer_id: int | None, path: Path) -> None:
    """Say what is desired of a device, instead of all that was desired before.

    It is kept, and published for the device, which takes it whole or refuses it; `device show` tells which.
    """
    wanted = read_file(path)
    async with opened(data_dir) as (settings, store):
        async with store.write() as connection:
            of = await the_dealer(connection, dealer_id)
            facts = await device_facts.of(connection, of.id, device_id)
            row = await device_configs.add(
                connection, of.id, device_id, document=lambda revision: document(wanted, revision), now=now()
            )
            check_settable(row.document, facts.state)
        is_published = await _published(settings, device_id, row.document)
    click.echo(f"revision {row.revision} for {device_id} is kept")
    click.echo("and published" if is_published else "the server tells the device when it connects next")


@click.command(epilog="Example: milepost-server device show gw-000017")
@data_dir_option
@click.argument("device_id", metavar="ID")
@click.option("--dealer", "dealer_id", type=int, help="The dealer's id, where there are several.")
@command
async def show(data_dir: Path, device_id: str, dealer_id: int | None) -> None:
    """Show whether a device is there, what it says of itself, and which configuration is in force."""
    async with opened(data_dir) as (_, store), store.read() as connection:
        of = await the_dealer(connection, dealer_id)
        facts = await device_facts.of(connection, of.id, device_id)
    for line in lines(facts):
        click.echo(line)


def read_file(path: Path) -> dict[str, Any]:
    """What a person wrote: without version and revision, and with times as people write them.

    Raises:
        ConfigRefusedError: it is neither TOML nor JSON, or too long.
    """
    content = path.read_bytes()[: FILE_BYTES_MAX + 1]
    if len(content) > FILE_BYTES_MAX:
        raise ConfigRefusedError(f"{path} is longer than {FILE_BYTES_MAX} bytes")
    read: Callable[[str], Any] = json.loads if path.suffix == ".json" else tomllib.loads
    try:
        wanted = read(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigRefusedError(f"{path} cannot be read: {error}") from error
    if not isinstance(wanted, dict):
        raise ConfigRefusedError(f"{path} holds no table; it may have settings and profile")
    for name in ("version", "revision"):
        if name in wanted:
            raise ConfigRefusedError(f"{path}: leave {name} out; the server counts")
    profile = wanted.get("profile")
    if isinstance(profile, dict) and isinstance(profile.get("consent"), dict):
        _as_ms(profile["consent"])
    return wanted


def _as_ms(consent: dict[str, Any]) -> None:
    """Put ``granted_ms`` for ``granted_at``, and ``expires_ms`` for ``expires_at``."""
    for name in ("granted", "expires"):
        moment = consent.pop(f"{name}_at", None)
        if moment is None:
            continue
        try:
            moment = dt.datetime.fromisoformat(str(moment))
        except ValueError as error:
            raise ConfigRefusedError(f"consent.{name}_at: {moment!r} is no date or time") from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=dt.UTC)
        consent[f"{name}_ms"] = round(moment.timestamp() * 1000)


def document(wanted: dict[str, Any], revision: int) -> str:
    """The document as it is published.

    Raises:
        ConfigRefusedError: the schema does not allow it.
    """
    whole = {"version": DOCUMENT_VERSION, "revision": revision, **wanted}
    try:
        # TOML has dates of its own; the settings of devices have them as text.
        text = json.dumps(whole, separators=(",", ":"), allow_nan=False, default=str)
        check_desired(text.encode())
    except (ValueError, DocumentError) as error:
        raise ConfigRefusedError(str(error)) from error
    return text


def check_settable(text: str, state: StateRow | None) -> None:
    """Check the settings against those that the device itself has said may be set.

    Raises:
        ConfigRefusedError: one of them may not. Of a device that has said nothing, its own word is awaited.
    """
    if state is None or not state.reported:
        return
    settable = state.reported["settable"]
    for section, table in json.loads(text).get("settings", {}).items():
        for name in table:
            if f"{section}.{name}" not in settable:
                raise ConfigRefusedError(
                    f"{section}.{name} cannot be set on this device; it lets be set: {', '.join(settable)}"
                )


async def _published(settings: Settings, device_id: str, text: str) -> bool:
    try:
        async with new_client(broker_address(settings)) as client:
            return await publish_config(client, device_id, text.encode())
    except aiomqtt.MqttError:
        return False


def lines(facts: DeviceFacts) -> Iterator[str]:
    """``facts`` for people."""
    device, state = facts.device, facts.state
    yield f"device    {device.id}, registered {_time(device.registered_at)}"
    if device.revoked_at:
        yield f"          REVOKED {_time(device.revoked_at)}"
    if state is None or state.birth_at is None:
        yield "state     has said nothing yet"
    else:
        word = "online" if state.online else f"offline ({state.reason})"
        yield f"state     {word} since {_time(state.since)}, connection {state.connection} of run {state.run}"
        yield from _birth_lines(state.birth or {})
    yield f"last data {_time(facts.last_batch_at) if facts.last_batch_at else 'none yet'}"
    yield from _config_lines(facts)


def _birth_lines(birth: dict[str, Any]) -> Iterator[str]:
    yield (
        f"agent     {birth['agent']}, protocol {birth['protocol']}, VSS {birth['vss']}, "
        f"catalogue {birth['catalogue']}"
    )
    yield (
        f"reads     {', '.join(birth['sources']) or 'no source'}; may send {len(birth['signals'])} signals; "
        f"clock {birth['clock']}; buffer epoch {birth['epoch'] or '(not open)'}"
    )


def _config_lines(facts: DeviceFacts) -> Iterator[str]:
    desired, reported = facts.desired, (facts.state.reported if facts.state else None) or {}
    force = f"revision {facts.revision} is in force" if facts.revision else "its own file is in force"
    if desired is None:
        yield f"config    {force}; nothing is desired"
    else:
        yield (
            f"config    {force}; revision {desired.revision} is desired since {_time(desired.created_at)}"
            f"{': IT LAGS BEHIND' if facts.lags else ''}"
        )
    for section, table in reported.get("settings", {}).items():
        for name, value in table.items():
            yield f"          {section}.{name} = {json.dumps(value)}"
    if profile := reported.get("profile"):
        ends = dt.datetime.fromtimestamp(profile["expires_ms"] / 1000, dt.UTC)
        yield f"profile   {profile['name']}: {profile['state']}, consent until {_time(ends)}"
    if refused := reported.get("refused"):
        yield f"REFUSED   revision {refused['revision'] or '(unreadable)'}: {refused['error']}"


def _time(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
