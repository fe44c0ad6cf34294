"""What readiness raises.

::

    ServerError
    +-- ReadinessError
        +-- FeatureError    a column that no model may use, or that is not there
        +-- FitError        outcomes that nothing can be learned from; says why
        +-- ModelError      a document, or priors, that cannot be used; says which part
"""

from __future__ import annotations

from milepost_server.errors import ServerError


class ReadinessError(ServerError):
    """Something that keeps readiness from being told or learned."""


class FeatureError(ReadinessError):
    """A column that no model may use, or that a model needs and did not get."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"column {name!r}: {why}")
        self.name = name
        self.why = why


class FitError(ReadinessError):
    """Outcomes that nothing can be learned from."""


class ModelError(ReadinessError):
    """A document of a model, or of priors, that cannot be used."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(f"readiness model, {part}: {why}")
        self.part = part
        self.why = why
