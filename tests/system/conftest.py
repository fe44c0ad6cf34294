"""Databases and brokers of the whole-road tests."""

from __future__ import annotations

from support.databases import cluster, postgres_url

__all__ = ["cluster", "postgres_url"]
