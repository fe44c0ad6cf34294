"""What a look of the doctor means: one verdict for each thing that keeps an agent from its work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from milepost_agent.clock import ClockReading
from milepost_agent.health.doctor import verdicts
from milepost_agent.health.doctor.findings import Finding, Level, as_document, as_text, is_bad
from milepost_agent.health.doctor.probes import BrokerFacts, DiskFacts, PortFacts, SecretFacts, SourceFacts
from milepost_protocol.samples import TimeTrust

MIB = 1024 * 1024
DISK = DiskFacts(Path("/var/lib/milepost"), "ext4", False, 900 * MIB, 5000, 0.004, "", "milepost", "milepost")
LIMITS = (16 * MIB, 64, 64 * MIB)
STATUS: dict[str, Any] = {
    "uptime_s": 7200.0,
    "buffer": {
        "error": "",
        "epoch": "9f3a1c77e0b24d51",
        "waiting": 12,
        "oldest_ms": 1_795_000_000_000,
        "corrupt_files": 0,
        "dropped": {},
        "lost_in_memory": {},
    },
    "uplink": {"is_connected": True, "error": "", "batches": 3, "receipt_age_s": 4.0},
    "sources": {"elm327": {"state": "reading", "readings": 7, "last_error": ""}},
    "tasks": {"source elm327": {"state": "running", "last_error": ""}},
}
NOW_MS = 1_795_000_060_000


def changed(section: str, **fields: object) -> dict[str, Any]:
    return STATUS | {section: STATUS[section] | fields}


@pytest.mark.parametrize(
    ("fields", "level", "words"),
    [
        ({}, Level.GOOD, "900 MiB free, 4.0 ms"),
        ({"is_read_only": True}, Level.BAD, "mounted read-only"),
        ({"fsync_s": None, "refusal": "Permission denied", "user": "root"}, Level.BAD, "belongs to milepost"),
        ({"fsync_s": None, "refusal": "No space left on device"}, Level.BAD, "No space left"),
        ({"free_bytes": 15 * MIB}, Level.BAD, "nothing is stored"),
        ({"free_bytes": 60 * MIB}, Level.NOTE, "less than the buffer may take"),
        ({"free_inodes": 63}, Level.BAD, "63 inodes free"),
        ({"free_inodes": None}, Level.GOOD, "900 MiB"),
        ({"file_system": "tmpfs"}, Level.BAD, "lost in a power cut"),
        ({"file_system": "nfs4"}, Level.NOTE, "on a network"),
        ({"file_system": "vfat"}, Level.NOTE, "no journal"),
        ({"fsync_s": 2.5}, Level.NOTE, "2.5 s"),
    ],
)
def test_disk(fields: dict[str, Any], level: Level, words: str) -> None:
    found = verdicts.disk(DISK._replace(**fields), *LIMITS)
    assert [finding.level for finding in found] == [level]
    assert words in as_text(found)


def test_all_that_is_wrong_with_a_disk_is_said() -> None:
    worst = DISK._replace(is_read_only=True, free_bytes=0, free_inodes=0)
    assert len(verdicts.disk(worst, *LIMITS)) == 3


@pytest.mark.parametrize(
    ("trust", "level"),
    [(TimeTrust.SYNCED, Level.GOOD), (TimeTrust.RTC, Level.NOTE), (TimeTrust.UNTRUSTED, Level.NOTE)],
)
def test_clock(trust: TimeTrust, level: Level) -> None:
    assert verdicts.clock(ClockReading(NOW_MS, 0.0, 0, trust, "boot")).level is level


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        (SecretFacts("milepost", "milepost"), Level.GOOD),
        (SecretFacts("milepost", ""), Level.GOOD),
        (SecretFacts("root", "milepost"), Level.NOTE),
    ],
)
def test_secret(facts: SecretFacts, level: Level) -> None:
    assert verdicts.secret(facts).level is level


@pytest.mark.parametrize(
    ("fields", "level", "words"),
    [
        ({}, Level.GOOD, "12 seqs wait for a receipt, the oldest 1.0 min old"),
        ({"waiting": 0}, Level.GOOD, "0 seqs wait for a receipt"),
        ({"error": "no space left"}, Level.BAD, "does not store: no space left"),
        ({"corrupt_files": 2}, Level.NOTE, "2 damaged files"),
        ({"dropped": {"series age": 40}}, Level.NOTE, "40 series age"),
        ({"lost_in_memory": {"series": 7}}, Level.NOTE, "7 series"),
    ],
)
def test_buffer(fields: dict[str, Any], level: Level, words: str) -> None:
    finding = verdicts.buffer(changed("buffer", **fields), NOW_MS)
    assert finding.level is level
    assert words in finding.text


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (PortFacts(False, False, False, "", "ada"), "is not there"),
        (PortFacts(True, False, True, "root", "ada"), "is no serial port"),
        (PortFacts(True, True, False, "dialout", "ada"), "add the agent's user to the group dialout"),
    ],
)
def test_port(facts: PortFacts, words: str) -> None:
    finding = verdicts.port("/dev/ttyUSB0", facts)
    assert finding
    assert finding.level is Level.BAD
    assert words in as_text([finding])


def test_a_port_that_may_be_used_has_no_finding() -> None:
    assert verdicts.port("/dev/ttyUSB0", PortFacts(True, True, True, "dialout", "ada")) is None


def test_a_car_that_tells_all() -> None:
    facts = SourceFacts({}, frozenset({"a", "b"}), "1M8GDM9AXKP042788", 12.6, "")
    found = verdicts.car("elm327", facts, 20.0)
    assert [(finding.check, finding.level) for finding in found] == [
        ("adapter", Level.GOOD),
        ("VIN", Level.GOOD),
        ("PIDs", Level.GOOD),
    ]
    assert "battery 12.6 V" in found[0].text


def test_a_car_with_its_ignition_off_is_no_fault() -> None:
    found = verdicts.car("elm327", SourceFacts({}, frozenset({"a"}), "", 12.6, ""), 20.0)
    assert not is_bad(found)
    assert "ignition" in as_text(found)


@pytest.mark.parametrize("error", ["", "no prompt"])
def test_an_adapter_that_tells_nothing(error: str) -> None:
    found = verdicts.car("elm327", SourceFacts({"last_error": error}, frozenset(), "", None, ""), 20.0)
    assert is_bad(found)
    assert (error or "nothing within 20 s") in as_text(found)


@pytest.mark.parametrize(
    ("status", "is_well", "words"),
    [
        (STATUS, True, "reading, 7 readings"),
        (changed("sources", elm327={"state": "failed", "last_error": "port gone"}), False, "port gone"),
        (
            changed("tasks", **{"source elm327": {"state": "failed", "last_error": "ValueError"}}),
            False,
            "ValueError",
        ),
    ],
)
def test_sources_of_a_running_agent(status: dict[str, Any], is_well: bool, words: str) -> None:
    found = verdicts.sources(status)
    assert is_bad(found) is not is_well
    assert words in as_text(found)


@pytest.mark.parametrize(
    ("facts", "has_tls", "levels", "words"),
    [
        (BrokerFacts(("::1",), 0.02, 60.0), True, [Level.GOOD, Level.GOOD], "good for 60 days"),
        (BrokerFacts(("::1",), 0.02, 20.0), True, [Level.GOOD, Level.NOTE], "ends in 20 days"),
        (BrokerFacts(("::1",), 0.02), False, [Level.GOOD, Level.NOTE], "set tls"),
        (BrokerFacts(error="refused"), True, [Level.BAD], "broker:8883: refused"),
    ],
)
def test_broker(facts: BrokerFacts, has_tls: bool, levels: list[Level], words: str) -> None:
    found = verdicts.broker("broker:8883", facts, has_tls=has_tls)
    assert [finding.level for finding in found] == levels
    assert words in as_text(found)


@pytest.mark.parametrize(
    ("fields", "level", "words"),
    [
        ({}, Level.GOOD, "the last 4 s ago"),
        ({"receipt_age_s": None}, Level.BAD, "none yet"),
        ({"receipt_age_s": 3601.0}, Level.BAD, "the server does not answer"),
        ({"receipt_age_s": 3601.0, "is_connected": False}, Level.GOOD, "1.0 h ago"),
        ({"receipt_age_s": None, "batches": 0}, Level.GOOD, "none yet"),
    ],
)
def test_receipts(fields: dict[str, Any], level: Level, words: str) -> None:
    finding = verdicts.receipts(changed("uplink", **fields))
    assert finding.level is level
    assert words in finding.text


def test_a_car_that_has_nothing_to_send_gets_no_receipts_and_that_is_good() -> None:
    status = changed("uplink", receipt_age_s=90_000.0) | {"buffer": STATUS["buffer"] | {"waiting": 0}}
    assert verdicts.receipts(status).level is Level.GOOD


def test_login_and_link_say_what_the_broker_said() -> None:
    assert verdicts.login("gw-17", "").level is Level.GOOD
    assert "not authorised" in verdicts.login("gw-17", "not authorised").text
    assert verdicts.link(STATUS).level is Level.GOOD
    away = verdicts.link(changed("uplink", is_connected=False, error="refused"))
    assert (away.level, "refused" in away.text) == (Level.BAD, True)


def test_a_report_is_one_line_for_each_finding_and_the_same_for_programs() -> None:
    found = [
        Finding("disk", Level.BAD, "is full", "make room"),
        *verdicts.skipped(("receipts",), "no agent"),
    ]
    assert as_text(found).splitlines() == [
        "BAD   disk      is full; make room",
        "-     receipts  no agent",
    ]
    document = as_document(found)
    assert document["is_good"] is False
    assert document["findings"][0] == {
        "check": "disk",
        "level": "BAD",
        "text": "is full",
        "advice": "make room",
    }
