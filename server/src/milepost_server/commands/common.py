"""What all commands share: the data directory, errors as one line, the event loop, the open store."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click
from sqlalchemy.exc import OperationalError

from milepost_server import settings as settings_module
from milepost_server.errors import ServerError
from milepost_server.store import dealers, migrations
from milepost_server.store.engine import open_store
from milepost_server.store.outages import said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncConnection

    from milepost_server.settings import Settings
    from milepost_server.store.dealers import DealerRow
    from milepost_server.store.engine import Store

P = ParamSpec("P")
R = TypeVar("R")

DATA_DIR_VARIABLE = f"{settings_module.ENV_PREFIX}DATA_DIR"


class CommandError(click.ClickException):
    """One of our own errors, as one line on standard error and exit code 1."""

    def show(self, file: object = None) -> None:  # noqa: ARG002
        """Print it without click's usage text: the command line was right."""
        click.echo(f"milepost-server: {self.message}", err=True)


def command(function: Callable[P, Awaitable[R]]) -> Callable[P, R]:
    """Run an asynchronous command; errors of ours become ``CommandError``."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        async def main() -> R:
            return await function(*args, **kwargs)

        try:
            return asyncio.run(main())
        except ServerError as error:
            raise CommandError(str(error)) from error
        except (OSError, OperationalError) as error:
            raise CommandError(f"the disk or the database refuses: {said(error)}") from error
        except ExceptionGroup as group:
            raise CommandError("; ".join(str(error) for error in group.exceptions)) from group

    return run


def data_dir_option(function: Callable[P, R]) -> Callable[P, R]:
    """``--data-dir``, which every command has."""
    return click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=Path("milepost-data"),
        envvar=DATA_DIR_VARIABLE,
        show_default=True,
        show_envvar=True,
        help="Directory of the installation.",
    )(function)


def currency_option(function: Callable[P, R]) -> Callable[P, R]:
    """``--currency`` of a new dealer."""
    return click.option(
        "--currency",
        default=dealers.CURRENCY,
        show_default=True,
        callback=_check_currency,
        help="Of all of the dealer's money: three letters of ISO 4217.",
    )(function)


def _check_currency(context: click.Context, option: click.Parameter, value: str) -> str:  # noqa: ARG001
    if len(value) == 3 and value.isascii() and value.isalpha() and value.isupper():
        return value
    raise click.BadParameter(f"{value!r} is not three capital letters, such as {dealers.CURRENCY}")


def now() -> dt.datetime:
    """The clock of commands."""
    return dt.datetime.now(dt.UTC)


def load_settings(data_dir: Path) -> Settings:
    """The settings of an installation.

    Raises:
        SettingsError: a setting is wrong.
    """
    return settings_module.load(data_dir)


@asynccontextmanager
async def opened(data_dir: Path) -> AsyncIterator[tuple[Settings, Store]]:
    """The settings and the store of an installation, at the newest revision.

    Raises:
        SettingsError: a setting is wrong.
        CommandError: there is no installation.
        StoreVersionError: the database needs a migration.
    """
    settings = load_settings(data_dir)
    _check_is_there(settings, data_dir)
    store = open_store(settings.database)
    try:
        await migrations.check(store)
        yield settings, store
    finally:
        await store.close()


def _check_is_there(settings: Settings, data_dir: Path) -> None:
    if settings.database.startswith("sqlite") and not data_dir.is_dir():
        raise CommandError(
            f"there is no installation in {data_dir}: name another directory with --data-dir, "
            "or make one with milepost-server init"
        )


async def the_dealer(connection: AsyncConnection, dealer_id: int | None) -> DealerRow:
    """The dealer with this id; without an id, the only one.

    Raises:
        NotFoundError: there is none with this id.
        click.UsageError: there are several to choose from.
    """
    if dealer_id is not None:
        return await dealers.one(connection, dealer_id)
    found = await dealers.every(connection)
    if len(found) != 1:
        known = ", ".join(f"{dealer.id} ({dealer.name})" for dealer in found) or "none"
        raise click.UsageError(f"say which dealer with --dealer ID; there are: {known}")
    return found[0]
