"""What all tables share: names of constraints, the dealer's column, and keys that stay with one dealer."""

from __future__ import annotations

import enum

from sqlalchemy import CheckConstraint, Column, ForeignKey, ForeignKeyConstraint, MetaData

from milepost_server.store.types import BigId

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)


def one_of(column: str, words: type[enum.StrEnum]) -> CheckConstraint:
    """``column`` holds one of ``words``."""
    quoted = ", ".join(f"'{word.value}'" for word in words)
    return CheckConstraint(f"{column} IN ({quoted})", name=column)


def dealer_column(*, root: bool = False) -> Column[int]:
    """``root`` tables refer to the dealer itself; others reach it through their parent's key."""
    if root:
        return Column("dealer_id", BigId, ForeignKey("dealers.id"), nullable=False)
    return Column("dealer_id", BigId, nullable=False)


def same_dealer(column: str, parent: str, name: str | None = None) -> ForeignKeyConstraint:
    """``column`` refers to a row of ``parent`` that belongs to the same dealer.

    A table that refers twice to one parent gives the second key a ``name``.
    """
    return ForeignKeyConstraint(["dealer_id", column], [f"{parent}.dealer_id", f"{parent}.id"], name=name)
