"""What evaluations raise.

::

    ServerError
    +-- EvaluationError     a file that cannot be evaluated
        +-- ColumnError     it has no such column; says which it has
        +-- ValueInRowError one of its rows holds something that cannot be read; says line and column
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_server.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class EvaluationError(ServerError):
    """A file that cannot be evaluated; the message says why and what to do."""


class ColumnError(EvaluationError):
    """The file has no column of this name."""

    def __init__(self, path: Path, column: str, known: Iterable[str]) -> None:
        super().__init__(f"{path} has no column {column!r}; it has: {', '.join(known)}")
        self.path = path
        self.column = column


class ValueInRowError(EvaluationError):
    """A row holds something that cannot be read."""

    def __init__(self, path: Path, line: int, column: str, value: str, wanted: str) -> None:
        super().__init__(f"{path}, line {line}: {column} is {value!r}, which is not {wanted}")
        self.path = path
        self.line = line
        self.column = column
        self.value = value
