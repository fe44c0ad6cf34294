"""The file of metrics: what a Prometheus can read, from the status of a real agent."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from milepost_agent.errors import MetricsError
from milepost_agent.health.metrics import COUNTER, METRICS, PREFIX, as_prometheus
from milepost_agent.health.metrics_file import MetricsFile
from support.adapters import serve_elmulator
from support.agents import EVERY_ROW, AgentProcess, write_drive
from support.mosquitto import Mosquitto, mosquitto
from support.waiting import poll

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["mosquitto"]

UNITS = (
    "_total",
    "_bytes",
    "_seconds",
    "_seqs",
    "_samples",
    "_batches",
    "_files",
    "_epochs",
    "_ratio",
    "_volts",
)
PLAIN = {"samples_in_memory", "buffer_stored_seq", "buffer_receipted_seq", "uplink_connected"}
BASE = {
    "device": "gw-1",
    "software": "0.1.0",
    "clock": {"trust": "synced"},
}


def parsed(text: str) -> dict[str, dict[tuple[str, ...], float]]:
    """Values by family, then by the values of their labels."""
    return {
        family.name: {tuple(sample.labels.values()): sample.value for sample in family.samples}
        for family in text_string_to_metric_families(text)
    }


def test_an_agents_file_is_read_by_prometheus_and_holds_the_whole_table(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    write_drive(tmp_path / "drive.csv", 0, 500)
    file = tmp_path / "milepost.prom"
    with serve_elmulator("p0301_basic") as port:
        sources = [
            {"kind": "replay", "file": str(tmp_path / "drive.csv")},
            {"kind": "elm327", "port": f"tcp://127.0.0.1:{port}"},
        ]
        health = {"metrics_file": str(file), "metrics_interval_s": 1.0}
        agent = AgentProcess(
            tmp_path, mosquitto.port, {"source": sources, "profile": EVERY_ROW, "health": health}
        )
        agent.start()
        try:
            poll(lambda: _value(file, "source_requests", "elm327"), "requests of the adapter in the file")
            poll(lambda: _value(file, "uplink_batches"), "batches in the file")
            status = agent.status()
        finally:
            agent.kill()
    metrics = parsed(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert not list(tmp_path.glob(".*.new"))
    assert metrics[f"{PREFIX}info"] == {(status["device"], status["software"]): 1.0}
    assert metrics[f"{PREFIX}buffer_stored_seq"][()] <= status["buffer"]["stored_seq"]
    # What nothing has happened to yet has no line; nothing else may be missing.
    never = {metric.name for metric in METRICS if metric.path.endswith((".dropped.*", ".lost_in_memory.*"))}
    never |= {"buffer_oldest_timestamp_seconds", "uplink_receipts_total", "flash_day_bytes"}
    never |= {"uplink_receipt_age_seconds", "flash_per_sample_bytes", "power_voltage_volts"}
    wanted = {metric.name.removesuffix("_total") for metric in METRICS if metric.name not in never}
    assert {f"{PREFIX}{name}" for name in wanted} <= metrics.keys()


def _value(file: Path, name: str, *labels: str) -> float:
    if not file.exists():
        return 0.0
    return parsed(file.read_text()).get(f"{PREFIX}{name}", {}).get(labels, 0.0)


def test_the_table_follows_the_conventions_for_names() -> None:
    names = [metric.name for metric in METRICS]
    assert len(names) == len(set(names))
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
        assert metric.name.endswith("_total") is (metric.kind == COUNTER), metric.name
        assert metric.name.endswith(UNITS) or metric.name in PLAIN, f"{metric.name} has no unit"
        assert len(metric.labels) == metric.path.count("*")
        assert metric.help.endswith(".")


@given(st.text(), st.text())
def test_any_text_may_be_a_label(device: str, task: str) -> None:
    text = as_prometheus(BASE | {"device": device, "tasks": {task: {"failures": 3}}})
    metrics = parsed(text)
    assert metrics[f"{PREFIX}info"] == {(device, "0.1.0"): 1.0}
    assert metrics[f"{PREFIX}task_failures"] == {(task,): 3.0}


def test_units_are_those_of_prometheus_and_what_is_unknown_is_left_out() -> None:
    text = as_prometheus(BASE | {"resident_mb": 32.8, "buffer": {"oldest_ms": None}})
    metrics = parsed(text)
    assert f"{PREFIX}resident_memory_bytes 32800000\n" in text
    assert f"{PREFIX}buffer_oldest_timestamp_seconds" not in metrics


async def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    async def status() -> dict[str, object]:
        return BASE

    with pytest.raises(MetricsError, match=r"let the agent write to its folder"):
        await MetricsFile(tmp_path / "none" / "milepost.prom", 1.0, status).run()
