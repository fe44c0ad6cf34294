"""What Alembic runs: the connection comes from ``migrations.upgrade``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from alembic import context

from milepost_server.store.schema import metadata
from milepost_server.store.types import BigId, Json, UtcDateTime

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our own column types by their names into new revisions."""
    if kind != "type":
        return False
    named = {id(BigId): "BigId", id(Json): "Json"}.get(id(item))
    if isinstance(item, UtcDateTime):
        named = "UtcDateTime()"
    if named is None:
        return False
    autogen.imports.add(f"from milepost_server.store.types import {named.removesuffix('()')}")
    return named


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
