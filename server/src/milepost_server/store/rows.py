"""What the query modules share: ids of new rows, and an insert that passes over rows that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from sqlalchemy import CursorResult, Table
    from sqlalchemy.ext.asyncio import AsyncConnection


def inserted_id(result: CursorResult[Any]) -> int:
    """The id that the database gave to the one row that was inserted."""
    key = result.inserted_primary_key
    assert key is not None, "only of a single-row insert"
    return int(key[0])


def upsert(connection: AsyncConnection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An ``INSERT`` of the connection's dialect, which has ``on_conflict_do_nothing`` and ``_do_update``."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
