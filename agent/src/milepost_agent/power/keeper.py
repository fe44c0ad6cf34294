"""What follows from the stance: the event, commits, the connection, and the machine's own sleep.

The policy decides within each event that a source tells, and in ``run`` when time has passed; what takes time
(sending what is left, putting the machine to sleep) is done in ``run`` alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from milepost_agent import paths
from milepost_agent.power.announcing import Announcing
from milepost_agent.power.gate import Gate
from milepost_agent.power.machine import COMMAND_S_MAX, is_timed, run_command, slept_s
from milepost_agent.power.permit import Permits
from milepost_agent.power.stance import Stance
from milepost_agent.pulse import BUFFER_S_MAX, Pulse
from milepost_agent.readings import Reading

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from milepost_agent.clock import ClockReading
    from milepost_agent.power.depth import Standing
    from milepost_agent.power.limits import PowerLimits
    from milepost_agent.power.permit import BusPermit
    from milepost_protocol.signals import Value

AWAKE_TICK_S: Final = 60.0
TICK_S: Final = 0.5
"""Within this time a wake-up is noticed, where there is an ignition line or the machine sleeps."""
PARKED_TICK_S: Final = 5.0
"""Where neither is known: the first time that somebody else puts the machine to sleep."""
DRAIN_LOOK_S: Final = 2.0
LAST_S_MAX: Final = 60.0
"""A disk that refuses the last commit, or a port that does not close, keeps the machine awake no longer."""
TRAFFIC_S: Final = 1.0
"""How often it is worth a thought that readings come in, whatever they say."""
SLEPT_S_MIN: Final = 2.0
"""A shorter sleep of the machine is none that somebody ended."""
EARLY_S: Final = 5.0
"""Who wakes the machine so long before it would have woken by itself wants something."""
COMMAND_SLEEP_S_MIN: Final = 20.0
"""For less than this the machine is not put to sleep: the next look comes first."""

TELLING: Final = frozenset({paths.RPM, paths.SPEED, paths.RUN_TIME, paths.VOLTAGE})
"""What a reading of these says counts, each time."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeeperLimits:
    """See the settings of [power]."""

    keeps_link: bool
    rest_drain_s_max: float
    event_s_max: float
    sleep_command: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Hands:
    """What the keeper works with.

    Attributes:
        clock: all clocks at one moment.
        store: takes the event, as if a source had read it.
        flush: asks for a commit now.
        in_memory: how many samples wait for a commit.
        unsent: how much the server has not been told: samples, in memory or stored, and which configuration
            is in force; None where nobody knows.
    """

    clock: Callable[[], ClockReading]
    store: Callable[[Reading], None]
    flush: Callable[[], None]
    in_memory: Callable[[], int]
    unsent: Callable[[], Awaitable[int | None]]


class Keeper:
    """Keeps the agent in the stance that the policy decides. ``link`` is the gate of the uplink.

    ``line`` reads the ignition line, None where there is none; ``command`` puts the machine to sleep and
    gives what went wrong, "" where nothing did.
    """

    def __init__(
        self,
        power: PowerLimits,
        limits: KeeperLimits,
        hands: Hands,
        line: Callable[[], bool | None] = lambda: None,
        command: Callable[[Sequence[str], float], Awaitable[str]] = run_command,
    ) -> None:
        now = hands.clock()
        self._limits = limits
        self._hands = hands
        self._read_line = line
        self._command = command
        self._permits = Permits(power, now.mono_s, slept_s(now))
        self._permits.on_told = self._told
        self._announcing = Announcing()
        self._stance = Stance.AWAKE
        self._is_fresh = True
        self._has_news = False
        self._changed = asyncio.Event()
        self._drain_looked_s = -float("inf")
        self._has_line = False
        self._heard_s = -float("inf")
        self._slept_for_s: float | None = None
        self._planned_wake_s = float("inf")
        self.link = Gate()
        self.pulse = Pulse(AWAKE_TICK_S + COMMAND_S_MAX + BUFFER_S_MAX)
        self.resumes = 0
        self.commands = 0
        self.command_error = ""

    @property
    def stance(self) -> Stance:
        """What holds now."""
        return self._permits.policy.stance

    def take_up(self, told: Value | None, before: Standing | None = None) -> None:
        """What was before the agent was started.

        Args:
            told: the stance that was told last, None where none was.
            before: where the agent before this one stood, None where there was none in this process.
        """
        self._announcing.take_up(str(told))
        if before is not None:
            mono_s = self._hands.clock().mono_s
            self._permits.tell(mono_s, lambda policy, at_s: policy.go_on(before, at_s))

    def standing(self) -> Standing:
        """For the ``take_up`` of the next keeper."""
        return self._permits.policy.standing()

    def permit(self, name: str) -> BusPermit:
        """The permit of a source that asks."""
        return self._permits.permit(name)

    def feed(self, name: str, reading: Reading) -> None:
        """A reading of a source that has no permit; it counts as of now, for a replay lives in the past."""
        now_s = self._hands.clock().mono_s
        if reading.signal in TELLING or now_s - self._heard_s >= TRAFFIC_S:
            self._heard_s = now_s
            self._permits.feed(name, reading._replace(mono_s=now_s))

    def gathered(self) -> None:
        """Samples wait for a commit: ask for one where it should not wait for its interval.

        The first samples after a start or a wake-up show that the agent works, and of a parked car there are
        so few that each is worth a commit: its power may go at any moment.
        """
        if self._is_fresh or self._stance is not Stance.AWAKE:
            self._is_fresh = False
            self._hands.flush()

    def stored(self) -> bool:
        """A commit is done; whether it is to be sent at once: it holds an event, or the link is to close."""
        is_urgent = self._has_news or (self._stance is not Stance.AWAKE and not self._keeps_link())
        # A commit that was under way when the event came does not hold it yet.
        self._has_news &= self._hands.in_memory() > 0
        return is_urgent

    async def run(self) -> None:
        """Look whenever time may have changed something, until cancelled."""
        with self.pulse.turning():
            while True:
                self._changed.clear()
                self._look()
                await self._mind_link()
                await self._mind_machine()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._pause_s()):
                        await self._changed.wait()
                self.pulse.beat()

    def _look(self) -> None:
        now = self._hands.clock()
        jump_s = slept_s(now) - self._permits.slept_s
        self._permits.slept_s += jump_s
        at_s = self._at_s(now)
        if jump_s >= SLEPT_S_MIN:
            self.resumes += 1
            if at_s < self._planned_wake_s - EARLY_S:
                self._permits.tell(now.mono_s, lambda policy, at_s: policy.resumed(at_s))
        if at_s >= self._planned_wake_s - EARLY_S:
            self._planned_wake_s = float("inf")
        line = self._read_line()
        self._has_line = line is not None
        if line is not None:
            self._permits.tell(now.mono_s, lambda policy, at_s: policy.ignition(is_on=line, at_s=at_s))
        self._permits.tell(now.mono_s, lambda _policy, _at_s: None)

    def _told(self) -> None:
        """The policy has decided anew: what can be done at once."""
        policy = self._permits.policy
        if policy.stance is not self._stance:
            self._enter(policy.stance)
        event = self._announcing.look(policy, policy.at_s)
        if event is not None:
            self._has_news = True
            self._hands.store(Reading(paths.POWER_STATE, event.value, self._hands.clock().mono_s))
            self._hands.flush()

    def _enter(self, stance: Stance) -> None:
        _LOG.info("%s: %s", stance.name.lower(), self._permits.policy.reason)
        self._stance = stance
        self._is_fresh = stance is Stance.AWAKE
        self._slept_for_s = None
        self._planned_wake_s = float("inf")
        self.link.set(is_open=True)  # to tell the event; what is not awake closes it once that is done
        self._hands.flush()
        self._changed.set()

    async def _mind_link(self) -> None:
        """Close the connection of a parked car once all is sent, or time is up."""
        if self._stance is Stance.AWAKE or self._keeps_link() or not self.link.is_open:
            return
        now_s = self._at_s(self._hands.clock())
        since_s = now_s - self._permits.policy.since_s
        is_over = since_s >= self._drain_s_max()
        if not is_over and now_s - self._drain_looked_s >= DRAIN_LOOK_S:
            stance, self._drain_looked_s = self._stance, now_s
            is_over = await self._hands.unsent() == 0 and stance is self._stance
        if is_over:
            self.link.set(is_open=False)

    def _keeps_link(self) -> bool:
        return self._stance is Stance.RESTING and self._limits.keeps_link

    def _drain_s_max(self) -> float:
        return self._limits.event_s_max if self._stance.is_closed else self._limits.rest_drain_s_max

    async def _mind_machine(self) -> None:
        """Put the machine to sleep, once in a stance or, where it wakes by itself, once between two looks."""
        command, policy = self._limits.sleep_command, self._permits.policy
        look_s = policy.next_battery_look_s()
        if not command or look_s is None or not self._is_all_off():
            return
        cycle_s = look_s if is_timed(command) else policy.since_s
        seconds = look_s - self._at_s(self._hands.clock())
        if self._slept_for_s == cycle_s or (is_timed(command) and seconds < COMMAND_SLEEP_S_MIN):
            return
        self._slept_for_s = cycle_s
        self._planned_wake_s = look_s if is_timed(command) else float("inf")
        self.commands += 1
        self.command_error = await self._command(command, seconds)
        self._changed.set()
        if self.command_error:
            _LOG.error("sleep_command: %s", self.command_error)

    def _is_all_off(self) -> bool:
        """Whether nothing is left that a sleeping machine would interrupt."""
        policy = self._permits.policy
        if self._stance is Stance.SAVING and not is_timed(self._limits.sleep_command):
            return False
        if self.link.is_open or not self.link.is_idle or policy.is_looking:
            return False
        if self._at_s(self._hands.clock()) - policy.since_s > self._limits.event_s_max + LAST_S_MAX:
            return True
        if self._hands.in_memory():
            self._hands.flush()
            return False
        return self._permits.are_idle

    def _pause_s(self) -> float:
        next_s = max(TICK_S, self._permits.policy.next_look_s() - self._at_s(self._hands.clock()))
        if self._has_line:
            return TICK_S
        if self._stance is Stance.AWAKE:
            return min(AWAKE_TICK_S, next_s)
        if self._limits.sleep_command or self.resumes:
            return TICK_S
        is_draining = self.link.is_open and not self._keeps_link()
        return min(DRAIN_LOOK_S if is_draining else PARKED_TICK_S, next_s)

    def _at_s(self, now: ClockReading) -> float:
        return now.mono_s + slept_s(now)

    def status(self) -> dict[str, Any]:
        """What ``milepost-agent status`` shows of it."""
        policy = self._permits.policy
        at_s = self._at_s(self._hands.clock())
        look_s = policy.next_battery_look_s()
        volts = policy.volts(at_s)
        return {
            "stance": policy.stance.value,
            "reason": policy.reason,
            "since_s": round(at_s - policy.since_s, 1),
            "voltage_v": None if volts is None else round(volts, 2),
            "rest_voltage_v": None if policy.rest_v is None else round(policy.rest_v, 2),
            "next_look_s": None if look_s is None else round(max(0.0, look_s - at_s), 1),
            "link": "open" if self.link.is_open else "closed",
            "events": self._announcing.events,
            "events_withheld": self._announcing.withheld,
            "resumes": self.resumes,
            "sleep_commands": self.commands,
            "sleep_error": self.command_error,
            **policy.counts(),
        }
