"""The service manager's watchdog is fed while everything moves, and by nothing else."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.agent import Agent
from milepost_agent.config import parse
from milepost_agent.errors import AgentError, StoreFullError
from milepost_agent.health.sdnotify import service_manager
from milepost_agent.health.watchdog import LOOKS_A_PERIOD, Stillness, Watchdog
from milepost_agent.parts import open_sources
from milepost_agent.platform import this_machine
from milepost_agent.pulse import Pulse
from milepost_agent.tasks import OnFailure, Task, run_all
from support.virtual_time import virtually
from support.waiting import WAIT_S_MAX, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from milepost_agent.health.sdnotify import ServiceManager

PERIOD_S = 60.0
"""In virtual time."""
REAL_PERIOD_S = 0.4
"""Where a thread hangs or the loop spins, which virtual time does not know."""


class _Manager:
    """A service manager's socket, and what came in on it."""

    def __init__(self, path: Path) -> None:
        self.environment = {"NOTIFY_SOCKET": str(path)}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def of(self, period_s: float) -> ServiceManager:
        """What the agent tells, where the watchdog is to be fed every ``period_s``."""
        return service_manager(self.environment | {"WATCHDOG_USEC": f"{period_s * 1e6:.0f}"})

    def heard(self) -> list[str]:
        """What came since the last time."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(1000).decode())
            except BlockingIOError:
                return messages

    def feeds(self) -> int:
        return self.heard().count("WATCHDOG=1")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[_Manager]:
    listening = _Manager(tmp_path / "notify")
    yield listening
    listening.close()


class _Loop:
    """A task that turns until it is told to hang, to rest, or to fail."""

    def __init__(self, limit_s: float) -> None:
        self.pulse = Pulse(limit_s)
        self.does: Callable[[], None] = lambda: None
        self.hangs = False
        self.rests = False
        self.fails = False

    async def run(self) -> None:
        with self.pulse.turning():
            while True:
                self.does()
                self.pulse.beat()
                if self.fails:
                    raise AgentError("a fault")
                if self.hangs:
                    await asyncio.Event().wait()
                if self.rests:
                    with self.pulse.resting():
                        await asyncio.Event().wait()
                await asyncio.sleep(self.pulse.limit_s / 10)


class _Watched:
    """A table with one loop and the watchdog over it, running."""

    def __init__(
        self,
        manager: ServiceManager,
        ask_thread: Callable[[], object] = lambda: None,
        limit_s: float = PERIOD_S,
    ) -> None:
        self.loop = _Loop(limit_s)
        self.table = [Task("edge", self.loop.run, OnFailure.RESTART, self.loop.pulse)]
        self.watchdog = Watchdog(manager, lambda: self.table, self._ask, self._now_s, lambda: "well")
        self.watchdog._thread = Pulse(limit_s)
        self._ask_thread = ask_thread
        self._stop = asyncio.Event()

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()

    async def _ask(self) -> None:
        await asyncio.get_running_loop().run_in_executor(None, self._ask_thread)

    async def __aenter__(self) -> _Watched:
        rows = [*self.table, Task("watchdog", self.watchdog.run, OnFailure.RESTART)]
        self._running = asyncio.create_task(run_all(rows, self._stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._running


async def _starves(manager: _Manager, period_s: float) -> None:
    """Wait until it is said that something stands still; from then on nothing may feed."""
    manager.heard()
    said: list[str] = []

    def is_said() -> bool:
        said.extend(manager.heard())
        return any(message.startswith("STATUS=no progress") for message in said)

    await until(is_said, "a status of no progress")
    await asyncio.sleep(3 * period_s)
    assert manager.feeds() == 0


async def _is_fed(manager: _Manager, seconds: float) -> None:
    """For ``seconds``: it is fed at each look, and nobody is said to stand still."""
    manager.heard()
    for _ in range(round(seconds / PERIOD_S)):
        await asyncio.sleep(PERIOD_S)
        heard = manager.heard()
        assert heard.count("WATCHDOG=1") in (LOOKS_A_PERIOD, LOOKS_A_PERIOD + 1)
        assert not [message for message in heard if "no progress" in message]


@virtually
async def test_fed_as_long_as_the_loops_turn(manager: _Manager) -> None:
    async with _Watched(manager.of(PERIOD_S)):
        fed: list[int] = []
        await until(lambda: fed.append(manager.feeds()) or sum(fed) > 3 * LOOKS_A_PERIOD, "feeding")


@virtually
async def test_a_task_that_hangs_starves_it_and_is_named(
    manager: _Manager, caplog: pytest.LogCaptureFixture
) -> None:
    async with _Watched(manager.of(PERIOD_S)) as watched:
        await until(manager.feeds, "feeding")
        watched.loop.hangs = True
        await _starves(manager, PERIOD_S)
    assert len([record for record in caplog.records if "no progress: edge" in record.message]) == 1


async def test_a_thread_of_the_buffer_that_hangs_starves_it(manager: _Manager) -> None:
    disk = threading.Event()
    disk.set()
    real = manager.of(REAL_PERIOD_S)
    async with _Watched(real, lambda: disk.wait(WAIT_S_MAX), REAL_PERIOD_S) as watched:
        await until(manager.feeds, "feeding")
        disk.clear()
        await _starves(manager, REAL_PERIOD_S)
        disk.set()
        await until(manager.feeds, "feeding once the disk answers")
        assert watched.loop.pulse.beats


async def test_a_loop_that_spins_starves_it(manager: _Manager) -> None:
    async with _Watched(manager.of(REAL_PERIOD_S), limit_s=REAL_PERIOD_S) as watched:
        await until(manager.feeds, "feeding")
        fed: list[int] = []

        def spin() -> None:
            manager.heard()
            end_s = time.monotonic() + 3 * REAL_PERIOD_S
            while time.monotonic() < end_s:
                pass
            fed.append(manager.feeds())

        watched.loop.does = spin
        await until(lambda: fed, "the end of the spin")
    assert fed[0] == 0


@virtually
async def test_a_disk_that_refuses_is_no_reason_to_start_anew(manager: _Manager) -> None:
    def refuse() -> None:
        raise StoreFullError("buffer.db", "no space")

    async with _Watched(manager.of(PERIOD_S), refuse):
        await until(manager.feeds, "feeding")
        await _is_fed(manager, 3 * PERIOD_S)


@pytest.mark.parametrize("does", ["rests", "fails"])
@virtually
async def test_who_rests_or_waits_to_start_again_is_not_held_against_it(manager: _Manager, does: str) -> None:
    async with _Watched(manager.of(PERIOD_S)) as watched:
        await until(manager.feeds, "feeding")
        setattr(watched.loop, does, True)
        await _is_fed(manager, 4 * PERIOD_S)


async def test_without_a_watchdog_nothing_runs(manager: _Manager) -> None:
    watched = _Watched(service_manager(manager.environment))
    async with asyncio.timeout(WAIT_S_MAX):
        await watched.watchdog.run()
    assert not manager.heard()


def test_a_machine_that_slept_is_not_held_against_its_loops() -> None:
    stillness, pulse = Stillness(look_s_max=10.0), Pulse(60.0)
    pulse.is_due = True
    assert not stillness.look({"edge": pulse}, 0.0)
    assert not stillness.look({"edge": pulse}, 100_000.0)
    for now_s in range(100_010, 100_060, 10):
        still = stillness.look({"edge": pulse}, float(now_s))
    assert not still
    assert stillness.look({"edge": pulse}, 100_061.0) == {"edge": 70.0}


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_what_stood_still_is_counted_from_its_last_beat(turns: list[bool]) -> None:
    stillness, pulse, still_looks = Stillness(look_s_max=1.0), Pulse(5.0), 0
    pulse.is_due = True
    stillness.look({"edge": pulse}, 0.0)
    for look, moves in enumerate(turns, start=1):
        if moves:
            pulse.beat()
        still_looks = 0 if moves else still_looks + 1
        assert ("edge" in stillness.look({"edge": pulse}, float(look))) is (still_looks > 5)


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "17"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "18"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_for_the_process_that_it_names(
    environment: dict[str, str], watchdog_s: float | None
) -> None:
    assert service_manager({"NOTIFY_SOCKET": "/run/notify"} | environment, pid=17).watchdog_s == watchdog_s


def test_a_manager_that_is_gone_or_reads_nothing_stops_nobody(manager: _Manager, tmp_path: Path) -> None:
    gone = service_manager({"NOTIFY_SOCKET": str(tmp_path / "nobody")})
    gone.ready()
    deaf = service_manager(manager.environment)
    for _ in range(2000):  # more than a socket holds
        deaf.alive()


def test_the_status_line_is_said_when_it_changes(manager: _Manager) -> None:
    told = service_manager(manager.environment)
    for text in ("connected", "connected", "no link:\nrefused"):
        told.status(text)
    told.starting(30.0)
    told.ready()
    told.stopping()
    assert manager.heard() == [
        "STATUS=connected",
        "STATUS=no link: refused",
        "EXTEND_TIMEOUT_USEC=30000000",
        "READY=1",
        "STOPPING=1",
    ]


def test_an_abstract_address_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0milepost-test-{id(listening)}")
        listening.settimeout(WAIT_S_MAX)
        service_manager({"NOTIFY_SOCKET": f"@milepost-test-{id(listening)}"}).ready()
        assert listening.recv(100) == b"READY=1"


def test_every_loop_that_has_to_turn_is_watched(tmp_path: Path) -> None:
    source = {"kind": "elm327", "port": "tcp://127.0.0.1:1"}
    config = parse(
        {
            "device": {"id": "gw-1"},
            "uplink": {"host": "127.0.0.1"},
            "buffer": {"path": str(tmp_path / "buffer.db")},
            "health": {"socket": str(tmp_path / "s")},
            "source": [source],
        }
    )
    agent = Agent(config, open_sources(config), this_machine())
    watched = {task.name for task in agent.tasks if task.pulse}
    assert watched == {"commit", "edge", "uplink", "power", "source elm327"}
