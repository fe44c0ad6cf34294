"""Fixtures of the server's tests."""

from support.databases import (
    cluster,
    database_url,
    empty_store,
    postgres_url,
    sqlite_url,
    store,
)

__all__ = ["cluster", "database_url", "empty_store", "postgres_url", "sqlite_url", "store"]
