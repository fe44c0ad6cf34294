"""What the commit of a group came to: what to tell devices, and what to count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milepost_protocol.receipt import Receipt


@dataclass(slots=True)
class Outcome:
    """Receipts to publish now that the transaction has ended, one a stream, and numbers for the metrics."""

    receipts: list[tuple[str, Receipt]] = field(default_factory=list)
    payloads: Counter[str] = field(default_factory=Counter)
    """Payloads by fate: committed, duplicate, quarantined, dropped."""

    quarantined: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """Samples by the reason for which they became no reading."""

    readings: int = 0
    unplaced: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    """Samples that devices say they dropped, by reason."""

    vin_conflicts: int = 0
