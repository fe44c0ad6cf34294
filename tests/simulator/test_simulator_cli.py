"""The command as users run it: help, examples, files, and a served car ended by a signal."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from milepost_simulator.cli import main
from support.ports import free_port

COMMAND = Path(sys.executable).with_name("milepost-sim")
WAIT_S = 20


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.parametrize("command", sorted(main.commands))
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.output
    assert f"milepost-sim {command}" in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["car"], "either --pty LINK or --tcp PORT or --can INTERFACE"),
        (["car", "--tcp", "0", "--can", "vcan0"], "either --pty LINK or --tcp PORT or --can INTERFACE"),
        (["car", "--can", "no-such-bus"], "cannot serve the car at no-such-bus"),
        (["car", "--adapter", "slcan", "--tcp", "0"], "say --pty LINK"),
        (["car", "--tcp", "0", "--fault", "X9"], "no trouble code"),
        (["car", "--tcp", "0", "--drive", "absent.csv"], "absent.csv: No such file"),
        (["car", "--tcp", "0", "--vin", "XMP"], "a VIN has 17"),
        (["car", "--tcp", "0", "--host", "no-such-host.invalid"], "cannot serve the car at no-such-host"),
        (["car", "--pty", "/proc/no-such-folder/car"], "cannot serve the car at /proc"),
        (["car", "--tcp", "0", "--powertrain", "steam"], "steam"),
        (["fleet", "--owners", "0", "--out", "x"], "0"),
    ],
)
def test_mistakes_are_told(arguments: list[str], says: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    assert says in result.output


def test_a_fleet_is_written_the_same_twice(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        result = run(
            "fleet",
            "--owners",
            "3",
            "--months",
            "2",
            "--as-of",
            "2026-03-03",
            "--out",
            str(tmp_path / folder),
        )
        assert result.exit_code == 0, result.output
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    owners = [json.loads(line) for line in (tmp_path / "a" / "owners.jsonl").read_text().splitlines()]
    assert len(owners) == 3
    for vehicle in (vehicle for owner in owners for vehicle in owner["vehicles"]):
        with (tmp_path / "a" / "samples" / f"{vehicle['device_id']}.csv").open() as file:
            assert len(list(csv.DictReader(file))) > 100
    assert (tmp_path / "a" / "truth" / "vehicles.jsonl").exists()


def test_truth_can_be_kept_back(tmp_path: Path) -> None:
    result = run(
        "fleet", "--owners", "1", "--months", "1", "--no-truth", "--no-samples", "--out", str(tmp_path)
    )
    assert result.exit_code == 0
    assert not (tmp_path / "truth").exists()
    assert list((tmp_path / "samples").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_served_car_says_where_and_ends_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    link = tmp_path / "car"
    process = subprocess.Popen(
        [COMMAND, "car", "--pty", str(link), "--seed", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert str(link) in said
    assert link.is_symlink()
    process.send_signal(number)
    _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, errors
    assert not link.is_symlink()


def test_it_ends_cleanly_while_an_agent_is_connected() -> None:
    port = free_port()
    process = subprocess.Popen(
        [COMMAND, "car", "--tcp", str(port)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    with socket.create_connection(("127.0.0.1", port)) as agent:
        agent.sendall(b"ATI\r")
        assert agent.recv(100)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, errors) == (0, "")


def test_a_taken_port_is_an_error_and_no_traceback() -> None:
    port = free_port()
    first = subprocess.Popen([COMMAND, "car", "--tcp", str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None
        assert f"tcp://127.0.0.1:{port}" in first.stdout.readline()
        second = subprocess.run(
            [COMMAND, "car", "--tcp", str(port)], capture_output=True, text=True, timeout=WAIT_S, check=False
        )
    finally:
        first.terminate()
        first.communicate(timeout=WAIT_S)
    assert second.returncode == 1
    assert "choose another place" in second.stderr
    assert "Traceback" not in second.stderr
