"""``readiness``: models that say who is ready to replace a car, learned from outcomes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from milepost_server.commands.common import command, data_dir_option, now, opened, the_dealer
from milepost_server.derivation.configuration import Configuration
from milepost_server.derivation.learning import readiness_fit
from milepost_server.derivation.times import AsOf
from milepost_server.signals.readiness import priors
from milepost_server.signals.readiness.advice import MOVE_WORDS, find
from milepost_server.signals.readiness.drift import Move
from milepost_server.signals.readiness.learning import EVENTS_TO_TUNE, is_tuned
from milepost_server.store import dealers, readiness_checks, readiness_models

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from milepost_server.store.dealers import DealerRow
    from milepost_server.store.readiness_checks import CheckRow
    from milepost_server.store.readiness_models import ModelRow

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
    if not rows:
        click.echo("none yet: published figures score; `milepost-server readiness fit` learns", err=True)


@readiness.command("check", epilog="Example: milepost-server readiness check --dealer 1")
@data_dir_option
@click.option("--dealer", "dealer_id", type=int, help="The dealer's id; without it, each dealer in turn.")
@command
async def check(data_dir: Path, dealer_id: int | None) -> None:
    """Say whether the model in force still fits: what came of its odds, and how far the cars have moved.

    Tells what the last full derivation has found; one is made at the beginning of each day, or by `derive`.
    """
    async with opened(data_dir) as (_, store), store.read() as connection:
        asked = (
            [await dealers.one(connection, dealer_id)]
            if dealer_id is not None
            else await dealers.every(connection)
        )
        for of in asked:
            day = AsOf.at(now(), of.timezone).date
            model = await readiness_models.in_force(connection, of.id, day)
            checks = await readiness_checks.newest(connection, of.id, day)
            for line in _checked(of, model, checks):
                click.echo(line)


def _checked(of: DealerRow, model: ModelRow | None, checks: Sequence[CheckRow]) -> Iterator[str]:
    """What is said of one dealer's model, line by line."""
    version = priors.shipped()[0].version if model is None else model.version
    since = "" if model is None else f", fitted on {model.fitted_on}, in force from {model.in_force_on}"
    yield f"dealer {of.id} ({of.name}): {version}{since}"
    row = next((row for row in checks if row.model_version == version), None)
    if row is None:
        yield f"  not checked yet: `milepost-server derive --dealer {of.id}` does"
        return
    found = find(row.came, row.drift, is_learned=model is not None)
    yield f"  checked on {row.as_of}, with {row.vehicles} cars"
    yield from (f"  {sentence}" for sentence in found.held)
    for name, figure in (("intercept", found.came.intercept), ("slope", found.came.slope)):
        if figure is not None:
            yield f"  {name}\t{figure.value:.2f}\t{figure.low:.2f} to {figure.high:.2f}"
    yield f"  {found.drift}"
    for one in row.drift:
        share = f"{one['bin']}: {one['then']:.0%} when learned, {one['now']:.0%} now"
        yield f"  {one['column']}\t{one['index']:.2f}\t{MOVE_WORDS[Move(one['move'])]}\t{share}"
    yield f"  {found.advice}"
