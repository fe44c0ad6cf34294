"""The reckoning of a run: what the devices say is stored against what the server has committed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from milepost_simulator.errors import SamplesMissingError

if TYPE_CHECKING:
    from collections.abc import Mapping

READINGS = "milepost_ingest_readings_total"
RECEIPTS = "milepost_ingest_receipts_total"


@dataclass(slots=True)
class Accounts:
    """Counts of one run.

    ``stored`` are by device the seqs that its buffer ever gave out, ``before`` what the server had committed
    when this run began: a run that was stopped may leave samples to the next. ``status`` is the server's word
    on its database, ``readings`` and ``receipts`` what its process has counted since it began.
    """

    before: int = 0
    stored: dict[str, int] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    readings: int = 0
    receipts: int = 0

    def take_server(self, status: dict[str, Any], counters: Mapping[str, float]) -> None:
        """Keep what the server says now."""
        self.status = status
        self.readings = round(counters.get(READINGS, 0.0))
        self.receipts = round(counters.get(RECEIPTS, 0.0))

    @property
    def stored_ever(self) -> int:
        """Samples that the devices have stored, in this run and before."""
        return sum(self.stored.values())

    @property
    def to_commit(self) -> int:
        """Stored samples that the server had not when this run began."""
        return self.stored_ever - self.before

    @property
    def committed(self) -> int:
        """Samples that the server has committed."""
        return int(self.status["samples_committed"])

    @property
    def lost(self) -> int:
        """Stored samples that the server has not."""
        return max(0, self.stored_ever - self.committed)

    @property
    def doubled(self) -> int:
        """Samples and readings at the server that no device has stored."""
        return max(0, self.committed - self.stored_ever, self.readings - self.to_commit)

    def check(self) -> None:
        """Make sure that the books agree.

        Raises:
            SamplesMissingError: they do not; the message says in what.
        """
        wrong = []
        if self.lost:
            dropped = f"{self.status['seqs_dropped']:,} dropped by devices"
            wrong.append(f"{self.lost:,} of {self.stored_ever:,} stored samples ({dropped})")
        if self.doubled:
            wrong.append(f"{self.doubled:,} are there twice")
        if self.readings < self.to_commit:
            wrong.append(f"{self.to_commit - self.readings:,} samples have become no reading")
        if held := self.status["quarantine"].get("held"):
            wrong.append(f"{held:,} payloads are in quarantine")
        if wrong:
            raise SamplesMissingError(wrong)
