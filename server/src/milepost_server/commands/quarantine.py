"""``quarantine``: look at payloads that could not be understood; replay or discard them."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import click

from milepost_protocol.signals import catalogue
from milepost_server.commands.common import command, data_dir_option, now, opened
from milepost_server.ingest.projection import Projector
from milepost_server.ingest.replay import discard, replay
from milepost_server.store import quarantine as queries
from milepost_server.store.schema import QuarantineState

ROWS_A_PAGE = 500
HEAD_BYTES = 64
MOMENT = "%Y-%m-%dT%H:%M:%SZ"


@click.group()
def quarantine() -> None:
    """Payloads that could not be understood, kept whole."""


@quarantine.command("list", epilog="Example: milepost-server quarantine list --state held")
@data_dir_option
@click.option("--state", type=click.Choice([state.value for state in QuarantineState]), default=None)
@command
async def list_(data_dir: Path, state: str | None) -> None:
    """List payloads: id, state, when, device, reason, bytes, detail."""
    wanted = QuarantineState(state) if state else None
    after_id = 0
    async with opened(data_dir) as (_, store):
        while True:
            async with store.read() as connection:
                page = await queries.page(connection, state=wanted, after_id=after_id, limit=ROWS_A_PAGE)
            for row in page:
                click.echo(
                    f"{row.id}\t{row.state.value}\t{row.received_at:{MOMENT}}\t"
                    f"{row.device_id or '-'}\t{row.reason}\t{len(row.payload)}\t{row.detail}"
                )
            if len(page) < ROWS_A_PAGE:
                break
            after_id = page[-1].id
    if not page and after_id == 0:
        click.echo("The quarantine is empty.", err=True)


@quarantine.command("show", epilog="Example: milepost-server quarantine show 7 --payload payload.bin")
@data_dir_option
@click.argument("quarantine_id", metavar="ID", type=int)
@click.option("--payload", type=click.File("wb"), help="Write the payload here.")
@command
async def show(data_dir: Path, quarantine_id: int, payload: BinaryIO | None) -> None:
    """Show one payload and why it is here."""
    async with opened(data_dir) as (_, store), store.read() as connection:
        row = await queries.one(connection, quarantine_id)
    for name, value in (
        ("id", row.id),
        ("state", row.state.value),
        ("received", f"{row.received_at:{MOMENT}}"),
        ("settled", f"{row.settled_at:{MOMENT}}" if row.settled_at else "-"),
        ("dealer", row.dealer_id or "-"),
        ("device", row.device_id or "-"),
        ("topic", row.topic),
        ("reason", row.reason),
        ("detail", row.detail),
        ("bytes", len(row.payload)),
        ("begins", row.payload[:HEAD_BYTES].hex(" ")),
    ):
        click.echo(f"{name:9} {value}")
    if payload is not None:
        payload.write(row.payload)


@quarantine.command("replay", epilog="Example: milepost-server quarantine replay 7")
@data_dir_option
@click.argument("quarantine_id", metavar="ID", type=int)
@command
async def replay_(data_dir: Path, quarantine_id: int) -> None:
    """Take a payload in, once what kept it from being understood was mended."""
    async with opened(data_dir) as (settings, store), store.write() as connection:
        projector = Projector(catalogue(), settings.ingest_future_s_max)
        added = await replay(connection, projector, quarantine_id, now=now())
    click.echo(f"payload {quarantine_id} was replayed; it brought {added} seqs that were not there")


@quarantine.command("discard", epilog="Example: milepost-server quarantine discard 7")
@data_dir_option
@click.argument("quarantine_id", metavar="ID", type=int)
@command
async def discard_(data_dir: Path, quarantine_id: int) -> None:
    """Note that nothing is to be done with a payload; it stays in the table."""
    async with opened(data_dir) as (_, store), store.write() as connection:
        await discard(connection, quarantine_id, now=now())
    click.echo(f"payload {quarantine_id} was discarded")
