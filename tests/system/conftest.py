"""Databases and brokers of the whole-road tests."""

from __future__ import annotations

from support.databases import cluster, newest_sqlite, newest_sqlite_url, postgres_url

__all__ = ["cluster", "newest_sqlite", "newest_sqlite_url", "postgres_url"]
