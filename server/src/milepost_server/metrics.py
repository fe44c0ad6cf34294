"""Everything that the server counts, in a registry of its own for each application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from milepost_server.ingest.outcome import Outcome

COMMIT_S_BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


class Metrics:
    """Counters and gauges; names are the public ones, see ``/metrics``."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.payloads = self._counter("ingest_payloads", "Payloads by fate.", "fate")
        self.quarantined = self._counter("ingest_quarantined", "Payloads quarantined.", "reason")
        self.dropped = self._counter("ingest_dropped", "Payloads dropped; their devices resend.", "why")
        self.refused = self._counter("ingest_refused_samples", "Samples that became no reading.", "reason")
        self.lost = self._counter("device_dropped_samples", "Samples that devices dropped.", "reason")
        self.receipts = self._counter("ingest_receipts", "Receipts by whether they were sent.", "sent")
        self.documents = self._counter("device_documents", "State and reported documents by fate.", "fate")
        self.logins = self._counter("broker_logins", "Devices that asked to connect, by answer.", "answer")
        self.readings = self._single("ingest_readings", "Readings that were projected.")
        self.unplaced = self._single("ingest_unplaced_samples", "Samples of devices in no vehicle.")
        self.vin_conflicts = self._single("ingest_vin_conflicts", "VINs that are not the vehicle's.")
        self.retries = self._single("ingest_commit_retries", "Transactions that the database refused.")
        self.violations = self._single("broker_violations", "Publishes, subscriptions the broker refused.")
        self.commit_s = Histogram(
            "milepost_ingest_commit_seconds",
            "Duration of commits.",
            buckets=COMMIT_S_BUCKETS,
            registry=self.registry,
        )
        self._queue = Gauge(
            "milepost_ingest_queue_payloads", "Payloads that wait for a commit.", registry=self.registry
        )
        self._queue_bytes = Gauge(
            "milepost_ingest_queue_bytes", "Bytes of the payloads that wait.", registry=self.registry
        )

    def watch_queue(self, length: Callable[[], int], size_bytes: Callable[[], int]) -> None:
        """Show the length of the queue and its size whenever metrics are read."""
        self._queue.set_function(length)
        self._queue_bytes.set_function(size_bytes)

    def committed(self, outcome: Outcome, seconds: float) -> None:
        """Count what a commit came to."""
        self.commit_s.observe(seconds)
        self.readings.inc(outcome.readings)
        self.unplaced.inc(outcome.unplaced)
        self.vin_conflicts.inc(outcome.vin_conflicts)
        for counter, counts in (
            (self.payloads, outcome.payloads),
            (self.quarantined, outcome.quarantined),
            (self.dropped, outcome.dropped),
            (self.refused, outcome.refused),
            (self.lost, outcome.lost),
        ):
            for label, number in counts.items():
                counter.labels(label).inc(number)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, text: str, label: str) -> Counter:
        return Counter(f"milepost_{name}", text, [label], registry=self.registry)

    def _single(self, name: str, text: str) -> Counter:
        return Counter(f"milepost_{name}", text, registry=self.registry)
