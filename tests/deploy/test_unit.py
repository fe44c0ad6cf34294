"""The service unit: little exposed, and the agent works within what it allows."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from milepost_agent.exits import EXIT_CONFIG
from support.adapters import serve_elmulator
from support.agents import AgentProcess
from support.mosquitto import Mosquitto, mosquitto
from support.sandbox import LIBRARY, allowed_calls, within
from support.unit import UNIT, settings
from support.waiting import poll

__all__ = ["mosquitto"]

EXPOSURE_MAX = 2.5

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd here; `make test` installs it"
)


def test_the_exposure_is_low() -> None:
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
        capture_output=True,
        text=True,
        check=False,
    )
    exposure = re.search(r"Overall exposure level for milepost-agent.service: ([0-9.]+)", told.stdout)
    assert exposure, told.stdout + told.stderr
    assert float(exposure[1]) <= EXPOSURE_MAX


def test_systemd_understands_every_line() -> None:
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", UNIT], capture_output=True, text=True, check=False
    )
    assert "milepost-agent.service" not in told.stderr


def test_a_configuration_to_mend_is_not_tried_again_and_nothing_else_is_given_up() -> None:
    unit = settings()
    assert unit["RestartPreventExitStatus"] == str(EXIT_CONFIG)
    assert unit["Restart"] == "always"
    assert int(unit["RestartSec"]) >= 10
    assert unit["StartLimitIntervalSec"] == "0"


def test_the_agent_reads_stores_and_sends_under_the_units_system_call_filter(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    if shutil.which("ldconfig") and LIBRARY not in subprocess.getoutput("ldconfig -p"):
        pytest.skip(f"no {LIBRARY} here")
    calls = allowed_calls(UNIT)
    assert "clock_adjtime" in calls, "without it no time would ever count as synced"
    assert not calls & {"clock_settime", "settimeofday", "mount", "reboot", "init_module", "setuid", "chown"}
    with serve_elmulator("p0301_basic") as port:
        source = {"kind": "elm327", "port": f"tcp://127.0.0.1:{port}"}
        agent = AgentProcess(
            tmp_path, mosquitto.port, {"source": [source]}, within=within(UNIT), as_unit=True
        )
        agent.start()
        try:
            poll(lambda: agent.status()["buffer"].get("stored_seq"), "stored samples")
            poll(lambda: agent.status()["uplink"]["batches"], "batches at the broker")
            assert Path(f"/proc/{agent.pid}/status").read_text().count("Seccomp:\t2") == 1
        finally:
            status = agent.stop()
    assert status == 0
    assert "Traceback" not in agent.log()
