"""Findings: what a check came to, as a line for people or an entry for programs. Pure."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

REPORT_VERSION: Final = 1


class Level(enum.StrEnum):
    """How bad it is; ``SKIPPED``: it was not looked at, and the text says why."""

    GOOD = "good"
    NOTE = "note"
    BAD = "BAD"
    SKIPPED = "-"


class Finding(NamedTuple):
    """One line of the report; ``advice`` says what to do about it."""

    check: str
    level: Level
    text: str
    advice: str = ""


def is_bad(findings: Sequence[Finding]) -> bool:
    """Whether the agent cannot do its work as it is."""
    return any(finding.level is Level.BAD for finding in findings)


def as_text(findings: Sequence[Finding]) -> str:
    """One line for each finding."""
    return "\n".join(
        f"{finding.level:4}  {finding.check:9} {finding.text}"
        + (f"; {finding.advice}" if finding.advice else "")
        for finding in findings
    )


def as_document(findings: Sequence[Finding]) -> dict[str, Any]:
    """For programs; all of it can be JSON."""
    return {
        "version": REPORT_VERSION,
        "is_good": not is_bad(findings),
        "findings": [finding._asdict() for finding in findings],
    }
