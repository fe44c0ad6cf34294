"""Metrics in the Prometheus text format, made from the status document by one table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "milepost_agent_"
COUNTER: Final = "counter"
GAUGE: Final = "gauge"
DECIMALS: Final = 3
"""What is scaled in binary fractions is rounded to so many: times are milliseconds."""


class Metric(NamedTuple):
    """One row of the table.

    Attributes:
        name: without ``PREFIX``; its last part is the unit (seconds, bytes), for counters ``total``.
        kind: counter or gauge.
        help: for people.
        path: where the value stands in the status document; ``*`` stands for each key there, in turn.
        labels: names for what the ``*`` stood for.
        scale: what the value is multiplied with, to be in the unit.
    """

    name: str
    kind: str
    help: str
    path: str
    labels: tuple[str, ...] = ()
    scale: float = 1


METRICS: Final = (
    Metric("uptime_seconds", GAUGE, "Since the start of the agent.", "uptime_s"),
    Metric("resident_memory_bytes", GAUGE, "Resident memory of the process.", "resident_mb", scale=1e6),
    Metric("samples_total", COUNTER, "Samples taken since the start.", "samples.sampled"),
    Metric("samples_in_memory", GAUGE, "Samples that are not stored yet.", "samples.in_memory"),
    Metric(
        "readings_withheld_total",
        COUNTER,
        "Readings of fine series that no agreed profile names: they do not leave the car.",
        "samples.withheld",
    ),
    Metric(
        "samples_refused_total",
        COUNTER,
        "Readings that are none, by reason.",
        "samples.refused.*",
        ("reason",),
    ),
    Metric("buffer_commits_total", COUNTER, "Durable commits since the start.", "buffer.commits"),
    Metric("buffer_stored_seq", GAUGE, "Last seq that is stored, of the current epoch.", "buffer.stored_seq"),
    Metric(
        "buffer_receipted_seq",
        GAUGE,
        "Last seq that the server has, of the current epoch.",
        "buffer.receipted_seq",
    ),
    Metric("buffer_waiting_seqs", GAUGE, "Seqs that wait for the server's receipt.", "buffer.waiting"),
    Metric(
        "buffer_waiting_gap_samples",
        GAUGE,
        "Samples among them that were dropped, and are reported as gaps.",
        "buffer.waiting_gap_samples",
    ),
    Metric("buffer_epochs", GAUGE, "Epochs that are not done.", "buffer.epochs"),
    Metric(
        "buffer_oldest_timestamp_seconds",
        GAUGE,
        "Time of the oldest sample that waits, in seconds since 1970.",
        "buffer.oldest_ms",
        scale=1e-3,
    ),
    Metric("buffer_file_bytes", GAUGE, "Size of the buffer file.", "buffer.file_bytes"),
    Metric("buffer_used_bytes", GAUGE, "Part of it that is in use.", "buffer.used_bytes"),
    Metric(
        "buffer_dropped_samples_total",
        COUNTER,
        "Samples dropped from the buffer since the start, by class.",
        "buffer.dropped.*",
        ("class",),
    ),
    Metric(
        "memory_dropped_samples_total",
        COUNTER,
        "Samples dropped from memory because the disk did not take them, by class.",
        "buffer.lost_in_memory.*",
        ("class",),
    ),
    Metric(
        "buffer_corrupt_files", GAUGE, "Damaged buffer files that were set aside.", "buffer.corrupt_files"
    ),
    Metric("samples_stored_total", COUNTER, "Samples stored since the start.", "samples.stored"),
    Metric("flash_written_bytes_total", COUNTER, "Bytes that the process wrote.", "flash.written_bytes"),
    Metric("flash_per_sample_bytes", GAUGE, "Of those, for each sample.", "flash.bytes_per_sample"),
    Metric(
        "flash_day_bytes", GAUGE, "What a day at the last pace comes to, in bytes.", "flash.bytes_per_day"
    ),
    Metric("flash_day_budget_bytes", GAUGE, "The budget for it, in bytes.", "flash.bytes_per_day_max"),
    Metric(
        "flash_commit_stretch_ratio", GAUGE, "How many times as rare as configured.", "flash.commit_stretch"
    ),
    Metric("uplink_connected", GAUGE, "1 while there is a connection to the broker.", "uplink.is_connected"),
    Metric("uplink_connects_total", COUNTER, "Connections since the start.", "uplink.connects"),
    Metric("uplink_batches_total", COUNTER, "Batches that the broker acknowledged.", "uplink.batches"),
    Metric("uplink_batch_bytes_total", COUNTER, "Bytes of those.", "uplink.batch_bytes"),
    Metric("uplink_resends_total", COUNTER, "Batches that were sent again.", "uplink.resends"),
    Metric(
        "uplink_unreceipted_batches",
        GAUGE,
        "Batches under way, or with a server that has not said so yet.",
        "uplink.unreceipted_batches",
    ),
    Metric(
        "uplink_receipts_total",
        COUNTER,
        "Receipts of the server, by what they came to.",
        "uplink.receipts.*",
        ("verdict",),
    ),
    Metric(
        "uplink_receipt_age_seconds",
        GAUGE,
        "Since the last receipt of the server.",
        "uplink.receipt_age_s",
    ),
    Metric("uplink_today_bytes", GAUGE, "Messages since midnight, UTC, by size.", "uplink.today_bytes"),
    Metric("power_voltage_volts", GAUGE, "Voltage of the car's battery.", "power.voltage_v"),
    Metric("source_readings_total", COUNTER, "Readings of a source.", "sources.*.readings", ("source",)),
    Metric("source_connects_total", COUNTER, "Connections of a source.", "sources.*.connects", ("source",)),
    Metric(
        "source_failures_total",
        COUNTER,
        "Connections that a source gave up.",
        "sources.*.failures",
        ("source",),
    ),
    Metric("source_requests_total", COUNTER, "Requests on the bus.", "sources.*.requests", ("source",)),
    Metric(
        "source_garbled_total",
        COUNTER,
        "Answers that could not be understood.",
        "sources.*.garbled",
        ("source",),
    ),
    Metric(
        "source_timeouts_total",
        COUNTER,
        "Commands that an adapter did not answer in time.",
        "sources.*.timeouts",
        ("source",),
    ),
    Metric("task_failures_total", COUNTER, "Failures of a task.", "tasks.*.failures", ("task",)),
)
INFO: Final = (
    ("info", "The agent: its device and version.", ("device", "version"), ("device", "software")),
    ("clock_info", "How far its clock is to be trusted.", ("trust",), ("clock.trust",)),
)
"""Texts of the document: a gauge that is 1, with the texts as labels."""


def as_prometheus(status: Mapping[str, Any]) -> str:
    """``status`` in the text format, version 0.0.4; what the document does not have is left out."""
    return "".join(f"{line}\n" for line in _lines(status))


def _lines(status: Mapping[str, Any]) -> Iterator[str]:
    for name, words, labels, paths in INFO:
        values = [str(_at(status, path)) for path in paths]
        yield from _head(name, GAUGE, words)
        yield f"{PREFIX}{name}{_labels(labels, values)} 1"
    for metric in METRICS:
        samples = [(keys, value) for keys, value in _values(status, metric.path.split("."), ())]
        if samples:
            yield from _head(metric.name, metric.kind, metric.help)
        for keys, value in samples:
            scaled = round(value * metric.scale, DECIMALS)
            number = int(scaled) if scaled == int(scaled) else scaled
            yield f"{PREFIX}{metric.name}{_labels(metric.labels, keys)} {number}"


def _head(name: str, kind: str, words: str) -> Iterator[str]:
    yield f"# HELP {PREFIX}{name} {words}"
    yield f"# TYPE {PREFIX}{name} {kind}"


def _labels(names: tuple[str, ...], values: list[str] | tuple[str, ...]) -> str:
    pairs = ",".join(f'{name}="{_escaped(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _values(node: object, path: list[str], keys: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
    """The numbers at ``path``, each with what the stars in it stood for."""
    if not path:
        if isinstance(node, int | float):
            yield keys, node
        return
    if not isinstance(node, Mapping):
        return
    step, *rest = path
    if step == "*":
        for key, inner in node.items():
            yield from _values(inner, rest, (*keys, str(key)))
    elif step in node:
        yield from _values(node[step], rest, keys)


def _at(node: Any, path: str) -> object:
    for step in path.split("."):
        node = node[step]
    return node
