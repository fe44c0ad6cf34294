"""A device configured from afar, on real parts: server command, broker, agent, and what the server shows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from support.road import Road
from support.waiting import poll

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from support.road import AgentProcess

LOAD = "Vehicle.Milepost.Engine.Load"
PROFILE = f"""
[settings.buffer]
commit_interval_s = 0.2
[profile]
name = "engine-load"
[profile.rules."{LOAD}"]
interval_s_min = 0.1
[profile.consent]
owner = "owner-1"
granted_at = {{granted_at}}
expires_at = {{expires_at}}
"""


@pytest.mark.timeout(240)
def test_a_device_is_configured_from_afar(tmp_path: Path) -> None:
    with Road(tmp_path) as road:
        road.register(1)
        (agent,) = road.agents
        write_loads(tmp_path / "loads.csv")
        agent.source = f'[[source]]\nkind = "replay"\nfile = "{tmp_path / "loads.csv"}"\n'
        road.configure()
        agent.start()
        with road.client() as client:
            poll(lambda: told(client)["online"], "the birth")
            assert told(client)["birth"]["sources"] == ["replay"]
            configure(road, tmp_path, with_consent(dt.timedelta(days=30)))
            poll(lambda: told(client)["revision"] == 1, "revision 1 in force")
            poll(lambda: (told(client)["reported"]["profile"] or {}).get("state") == "running", "the profile")
            poll(lambda: told(client)["last_batch_at"], "what the profile lets out")
            assert LOAD in told(client)["birth"]["signals"]
            refused(road, tmp_path, agent, client)
            agent.kill()
            poll(lambda: not told(client)["online"], "the last will")
            assert told(client)["reason"] == "lost"
            agent.start()
            poll(lambda: told(client)["online"], "the next birth")
            configure(road, tmp_path, "")
            poll(lambda: told(client)["revision"] == 3, "the withdrawal")
            poll(lambda: told(client)["reported"]["profile"] is None, "the end of the profile")
            agent.stop()
            poll(lambda: told(client)["reason"] == "stop", "the farewell")
        shown = road.server.command("device", "show", "car-0").stdout
        assert "offline (stop) since" in shown
        assert "revision 3 is in force; revision 3 is desired" in shown
        assert road.server.stop() == 0


def refused(road: Road, folder: Path, agent: AgentProcess, client: httpx.Client) -> None:
    """The server refuses what it can; what only the device can know, that refuses, and stays as it was."""
    elsewhere = folder / "elsewhere.toml"
    elsewhere.write_text('[settings.uplink]\nhost = "elsewhere.example"\n')
    done = road.server.command("device", "configure", "car-0", "--file", str(elsewhere), check=False)
    assert done.returncode == 1
    assert "uplink.host cannot be set on this device" in done.stderr
    configure(road, folder, "[settings.buffer]\ncommit_interval_s = 0\n")
    poll(lambda: told(client)["reported"]["refused"], "the refusal")
    now = told(client)
    assert now["reported"]["refused"]["revision"] == 2
    assert "it must be from 0.05 to 3,600 s" in now["reported"]["refused"]["error"]
    assert (now["revision"], now["desired_revision"], now["lags"]) == (1, 2, False)
    assert now["reported"]["settings"] == {"buffer": {"commit_interval_s": 0.2}}


def told(client: httpx.Client) -> dict:
    """What the API tells of the device."""
    answer: dict = client.get("/devices/car-0").raise_for_status().json()
    return answer


def configure(road: Road, folder: Path, text: str) -> None:
    """``milepost-server device configure``."""
    file = folder / "desired.toml"
    file.write_text(text)
    assert "and published" in road.server.command("device", "configure", "car-0", "--file", str(file)).stdout


def with_consent(for_time: dt.timedelta) -> str:
    """The profile, agreed to just now."""
    now = dt.datetime.now(dt.UTC)
    return PROFILE.format(
        granted_at=(now - dt.timedelta(minutes=1)).isoformat(), expires_at=(now + for_time).isoformat()
    )


def write_loads(file: Path, rows: int = 20_000) -> None:
    """A replay of a series that stays in the car without a profile, 20 values a second."""
    lines = [f"{row / 20:.2f},{20 + row % 60}" for row in range(rows)]
    file.write_text("\n".join([f"time_s,{LOAD}", *lines, ""]))
