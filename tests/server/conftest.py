"""Fixtures of the server's tests."""

from support.databases import (
    cluster,
    database_url,
    empty_store,
    newest_postgres,
    newest_postgres_url,
    newest_sqlite,
    newest_sqlite_url,
    newest_url,
    postgres_url,
    sqlite_url,
    store,
)
from support.sites import page, showroom_file, site, stranger

__all__ = [
    "cluster",
    "database_url",
    "empty_store",
    "newest_postgres",
    "newest_postgres_url",
    "newest_sqlite",
    "newest_sqlite_url",
    "newest_url",
    "page",
    "postgres_url",
    "showroom_file",
    "site",
    "sqlite_url",
    "store",
    "stranger",
]
