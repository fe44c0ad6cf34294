"""The demo as users run it, small: it checks itself, ends cleanly, and says what goes wrong."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from milepost_simulator.car import pids
from milepost_simulator.car.short_drive import make_short_drive
from milepost_simulator.demo.accounts import READINGS, RECEIPTS, Accounts
from milepost_simulator.errors import SamplesMissingError
from support.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = Path(sys.executable).with_name("milepost-sim")
SMALL = ("--owners", "3", "--months", "2", "--seconds", "8")
WAIT_S = 120.0


class Run:
    """A demo that was started, and what it has said so far."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.said = ""
        self.process = psutil.Popen(
            [str(COMMAND), "demo", "--folder", str(folder), *SMALL, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._seen: set[psutil.Process] = set()

    def until(self, words: str) -> None:
        """Read on until a line has ``words`` in it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            self._seen.update(self.process.children(recursive=True))
            if words in line:
                return
        raise AssertionError(f"it never said {words!r}, but:\n{self.said}")

    def child(self, word: str) -> psutil.Process:
        """The child process with ``word`` in its command line."""
        return next(p for p in self.process.children(recursive=True) if word in " ".join(p.cmdline()))

    def end(self) -> int:
        """Wait for its end; gives its exit status."""
        rest, _ = self.process.communicate(timeout=WAIT_S)
        self.said += rest
        return int(self.process.returncode)

    def left_over(self) -> list[psutil.Process]:
        """Processes that outlived it."""
        return psutil.wait_procs(self._seen, timeout=WAIT_S)[1]


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    """Demos started by a test, ended with it whatever happens."""
    started: list[Run] = []
    yield started
    for run in started:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGTERM)
            run.process.communicate(timeout=WAIT_S)
        assert run.process.stdout is not None
        run.process.stdout.close()
        for process in run.left_over():
            process.kill()


def number(said: str, row: str) -> int:
    found = re.search(rf"^{row} +([\d,]+)$", said, re.MULTILINE)
    assert found, f"no row {row!r} in:\n{said}"
    return int(found[1].replace(",", ""))


def test_a_bounded_run_checks_itself_and_leaves_nothing(tmp_path: Path, runs: list[Run]) -> None:
    run = Run(tmp_path / "demo", "--once", "--drives", str(tmp_path / "none"))
    runs.append(run)
    run.until("login")
    assert run.end() == 0, run.said
    assert "one that the simulator made takes its place" in run.said
    assert number(run.said, "samples stored by the devices") == number(
        run.said, "samples committed by the server"
    )
    assert number(run.said, "samples stored by the devices") > 500
    assert number(run.said, "lost") == number(run.said, "doubled") == 0
    assert number(run.said, "owners with a score") == number(run.said, "owners") == 3
    assert re.search(r"told of \d+ service records, \d+ contracts and warranties, \d+ purchases", run.said)
    assert len(re.findall(r"s      .+, \d+ points: ", run.said)) == 3
    assert "from published figures, not learned" in run.said
    assert "committed at the server, once" in run.said
    assert "What to try next: `make demo`" in run.said
    assert "Traceback" not in run.said
    assert run.left_over() == []


def test_it_goes_on_until_ctrl_c_and_takes_up_again(tmp_path: Path, runs: list[Run]) -> None:
    folder = tmp_path / "demo"
    first = Run(folder, "--port", str(free_port()))
    runs.append(first)
    first.until("go on with all this after Ctrl-C")
    (status,) = re.findall(r"how an agent is: (.+)", first.said)
    assert "uplink" in subprocess.run(status.split(), check=True, capture_output=True, text=True).stdout
    told = [(words, path) for words, path in re.findall(r"s      (.+): .*http://[^/]+(/\S+)", first.said)]
    assert len([words for words, path in told if words.startswith("the owner whose") and "?q=" in path]) == 2
    credentials = json.loads((folder / "server" / "credentials.json").read_text())
    login = {"email": credentials["email"], "password": credentials["password"]}
    with httpx.Client(base_url=credentials["address"], timeout=WAIT_S) as client:
        token = client.post("/api/v1/sessions", json=login).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        pages = {path: client.get(path) for _, path in told}
        ready = client.get("/api/v1/owners/1/readiness").json()
        listed = {path: client.get(f"/api/v1/{path}").json()["items"] for path in ("contracts", "outcomes")}
    assert {path: answer.status_code for path, answer in pages.items()} == dict.fromkeys(pages, 200)
    assert {"/owners", "/sales", "/accuracy", "/quarantine"} < pages.keys()
    assert all(listed.values()), listed
    assert ready["signals"]["value"]["ledger"], "what was paid so far"
    first.process.send_signal(signal.SIGINT)
    assert first.end() == 0, first.said
    assert "nothing is left running" in first.said
    assert first.left_over() == []
    second = Run(folder, "--once", "--keep")
    runs.append(second)
    second.until("login")
    assert second.end() == 0, second.said
    assert number(second.said, "lost") == 0


def test_a_process_that_dies_is_told_by_name(tmp_path: Path, runs: list[Run]) -> None:
    run = Run(tmp_path / "demo", "--port", str(free_port()))
    runs.append(run)
    run.until("What to try next")
    run.child("milepost-agent").kill()
    assert run.end() == 1
    assert "Error: agent car-" in run.said
    assert "its log is" in run.said
    assert run.left_over() == []


def test_one_folder_holds_one_demo_and_nothing_else(tmp_path: Path, runs: list[Run]) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("precious")
    run = Run(foreign, "--once")
    runs.append(run)
    assert run.end() == 1
    assert "no demo made it" in run.said
    assert (foreign / "thesis.txt").read_text() == "precious"


@pytest.mark.parametrize(
    ("committed", "readings", "held", "says"),
    [
        (90, 100, 0, "10 of 100 stored samples"),
        (100, 101, 0, "1 are there twice"),
        (110, 100, 0, "10 are there twice"),
        (100, 97, 0, "3 samples have become no reading"),
        (100, 100, 2, "2 payloads are in quarantine"),
    ],
)
def test_books_that_do_not_agree_say_in_what(committed: int, readings: int, held: int, says: str) -> None:
    accounts = Accounts(stored={"a": 60, "b": 40})
    status = {"samples_committed": committed, "seqs_dropped": 0, "quarantine": {"held": held}}
    accounts.take_server(status, {READINGS: float(readings), RECEIPTS: 4.0})
    with pytest.raises(SamplesMissingError, match=says):
        accounts.check()


def test_books_that_agree_pass_with_an_earlier_run_in_them() -> None:
    accounts = Accounts(before=60, stored={"a": 100})
    accounts.take_server({"samples_committed": 100, "seqs_dropped": 0, "quarantine": {}}, {READINGS: 40.0})
    accounts.check()
    assert accounts.lost == accounts.doubled == 0


def test_the_short_drive_is_a_drive() -> None:
    drive = make_short_drive()
    assert drive.times_s[0] == 0.0
    assert list(drive.times_s) == sorted(drive.times_s)
    assert 300 < drive.duration_s < 900
    assert 2_000 < drive.distance_m() < 15_000
    assert min(row[pids.VOLTAGE] for row in drive.rows[:40]) < 11.5
    assert drive.rows[-1][pids.SPEED] == 0.0
