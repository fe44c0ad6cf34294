"""The one shape of errors, for every test that provokes one."""

from __future__ import annotations


def is_error(body: object) -> bool:
    """Whether a body has the one shape of errors, and nothing else."""
    if not isinstance(body, dict) or set(body) != {"error"}:
        return False
    error = body["error"]
    return {"code", "message"} <= set(error) <= {"code", "message", "field"} and all(
        isinstance(value, str) and value for value in error.values()
    )
