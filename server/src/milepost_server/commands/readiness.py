"""``readiness``: models that say who is ready to replace a car, learned from outcomes."""

from __future__ import annotations

from pathlib import Path

import click

from milepost_server.commands.common import command, data_dir_option, now, opened, the_dealer
from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.learning import readiness_fit
from milepost_server.signals.readiness.learning import EVENTS_TO_TUNE, is_tuned
from milepost_server.store import dealers, readiness_models

MODELS_SHOWN_MAX = 500
FEW = (
    f"fewer than {EVENTS_TO_TUNE} cars were replaced or kept, so how well its probabilities hold could only "
    "be counted on the owners that it learned from: expect worse"
)


@click.group()
def readiness() -> None:
    """Models of who is ready to replace a car."""


@readiness.command("fit", epilog="Example: milepost-server readiness fit")
@data_dir_option
@command
async def readiness_fit_command(data_dir: Path) -> None:
    """Learn from the outcomes of all dealers together, and of each; models hold from tomorrow."""
    async with opened(data_dir) as (_, store):
        async with store.read() as connection:
            known = await dealers.every(connection)
        learned = await readiness_fit.fit(store, known, Configuration(), now=now(), say=_say)
    for one in learned:
        whose = "all dealers" if one.dealer_id is None else f"dealer {one.dealer_id}"
        said = "" if one.is_new else ", as before"
        few = "" if is_tuned(one.model.events, one.model.rows) else f"; {FEW}"
        click.echo(
            f"{whose}: {one.model.version} from {one.model.rows} owners and months, in {one.model.events} of "
            f"which a car was replaced{said}{few}"
        )


def _say(words: str) -> None:
    """Progress, on standard error."""
    click.echo(words, err=True)


@readiness.command("models", epilog="Example: milepost-server readiness models")
@data_dir_option
@click.option("--dealer", "dealer_id", type=int, help="The dealer's id, where there are several.")
@command
async def models(data_dir: Path, dealer_id: int | None) -> None:
    """List the models that may score a dealer's owners, the oldest first."""
    async with opened(data_dir) as (_, store), store.read() as connection:
        of = await the_dealer(connection, dealer_id)
        rows = await readiness_models.page(connection, of.id, after_id=0, limit=MODELS_SHOWN_MAX)
    for row in rows:
        whose = "all dealers" if row.dealer_id is None else f"dealer {row.dealer_id}"
        events = row.metrics.get("events", 0)
        click.echo(f"{row.version}\t{whose}\tfrom {row.in_force_on}\t{events} events")
