"""Every statement on a tenant table says which dealer it is for, or why it spans dealers.

The check runs before each statement that goes to the database, so that a forgotten ``dealer_id`` fails the
first test that reaches it instead of showing one dealer's owners to another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Delete, Insert, Select, Table, Update, event
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import BinaryExpression, BindParameter, ColumnClause
from sqlalchemy.sql.selectable import Alias, CompoundSelect, FromClause

from milepost_server.errors import TenancyError
from milepost_server.store.schema import TENANT_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.sql.elements import ClauseElement

# Value of the execution option: the reason, in words.
ACROSS_DEALERS: Final = "across_dealers"

_TENANT = frozenset(table.name for table in TENANT_TABLES)
_EQUALITIES = (operators.eq, operators.in_op)


def guard(engine: Engine) -> None:
    """Check every statement that ``engine`` executes from now on."""

    @event.listens_for(engine, "before_execute")
    def before_execute(
        conn: Connection,  # noqa: ARG001
        clause: ClauseElement,
        multiparams: Sequence[Mapping[str, Any]],
        params: Mapping[str, Any],
        options: Mapping[str, Any],
    ) -> None:
        if not options.get(ACROSS_DEALERS):
            check(clause, [params] if params else multiparams)


def check(clause: ClauseElement, rows: Sequence[Mapping[str, Any]] = ()) -> None:
    """Check one statement; ``rows`` are the parameters that it is executed with.

    Raises:
        TenancyError: a tenant table in it is not bound to a dealer.
    """
    if isinstance(clause, Insert):
        _check_insert(clause, rows)
    elif isinstance(clause, (Select, CompoundSelect, Update, Delete)):
        _check_bound(clause)


def _check_insert(clause: Insert, rows: Sequence[Mapping[str, Any]]) -> None:
    table = clause.table
    if not isinstance(table, Table) or table.name not in _TENANT:
        return
    columns = [str(key) for key in rows[0]] if rows else None
    if columns and "dealer_id" in columns:
        return
    named = clause.compile(column_keys=columns or None).params
    if not any(key in {"dealer_id", "dealer_id_m0"} for key in named):
        raise TenancyError(table.name, "inserts no dealer_id")


def _check_bound(clause: ClauseElement) -> None:
    tenants: dict[FromClause, str] = {}
    compared: set[FromClause] = set()
    to_value = False
    for element in visitors.iterate(clause):
        if isinstance(element, (Table, Alias)):
            name = _tenant_name(element)
            if name:
                tenants[element] = name
        elif isinstance(element, BinaryExpression) and element.operator in _EQUALITIES:
            sides = [side for side in (element.left, element.right) if _is_dealer(side)]
            compared.update(side.table for side in sides)
            to_value |= len(sides) == 1 and isinstance(_other(element), BindParameter)
    if isinstance(clause, (Update, Delete)) and isinstance(clause.table, Table):
        name = _tenant_name(clause.table)
        if name:
            tenants[clause.table] = name
    aliased = {element.element for element in tenants if isinstance(element, Alias)}
    for element, name in tenants.items():
        # An alias is walked through to its table, which is not itself in the statement.
        if element not in compared and element not in aliased:
            raise TenancyError(name, "does not compare its dealer_id")
    if tenants and not to_value:
        raise TenancyError(", ".join(sorted(set(tenants.values()))), "compares dealer_id with no value")


def _tenant_name(element: FromClause) -> str | None:
    table = element.element if isinstance(element, Alias) else element
    return table.name if isinstance(table, Table) and table.name in _TENANT else None


def _is_dealer(side: object) -> bool:
    return isinstance(side, ColumnClause) and side.name == "dealer_id" and side.table is not None


def _other(element: BinaryExpression[Any]) -> object:
    return element.right if _is_dealer(element.left) else element.left
