"""Fixtures of the server's tests."""

from support.databases import (
    cluster,
    database_url,
    empty_store,
    postgres_url,
    sqlite_url,
    store,
)
from support.sites import page, showroom_file, site, stranger

__all__ = [
    "cluster",
    "database_url",
    "empty_store",
    "page",
    "postgres_url",
    "showroom_file",
    "site",
    "sqlite_url",
    "store",
    "stranger",
]
