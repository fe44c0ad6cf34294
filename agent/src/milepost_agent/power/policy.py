"""The stance of the agent, from all evidence. Pure: facts and times in, decisions out.

Whether the car is in use comes first (``use``); else the battery says how deep to go (``depth``). A car that
is left alone is asked again where something hints that it is in use (``asking``), and only its answer makes
the agent awake. A wake-up of the machine and the ignition line do so by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_agent.power.asking import TRAFFIC_GAP_S, Asking
from milepost_agent.power.battery import READINGS_MIN, Battery
from milepost_agent.power.depth import Depth
from milepost_agent.power.stance import Stance
from milepost_agent.power.use import Use

if TYPE_CHECKING:
    from milepost_agent.power.depth import Standing
    from milepost_agent.power.limits import PowerLimits
    from milepost_protocol.signals import Value

LOOK_S_MAX: Final = 30.0
"""A look at the battery that has not succeeded by then is over."""
LOOK_PACE_S: Final = 0.5
"""Between the readings of one look."""
NOT_ENABLED: Final = "always: power.is_enabled is false, or there is no source to go by"


class PowerPolicy:
    """Call ``look`` after each event, and by ``next_look_s`` at the latest; then ask what holds."""

    def __init__(self, limits: PowerLimits, at_s: float) -> None:
        self._limits = limits
        self._at_s = at_s
        self._use = Use(limits)
        self._use.began("the agent has just started", at_s)
        self._depth = Depth(limits, at_s)
        self._asking: dict[str, Asking] = {}
        self._batteries: dict[str, Battery] = {}
        self._traffic_at_s = -float("inf")
        self._is_silent = False
        self._rest_reason = ""
        self._look_s = float("inf")
        self._looking_until_s = -float("inf")
        self._look_is_under_way = False
        self.stance = Stance.AWAKE
        self.reason = self._use.reason
        self.since_s = at_s
        self.is_proven = False
        """Whether something tells that the car is in use, and not only that nothing tells that it is not."""
        self.rest_v: float | None = None
        """The last voltage at rest."""

    def standing(self) -> Standing:
        """What a policy under other limits goes on from."""
        return self._depth.standing(self.stance, self.reason)

    def go_on(self, before: Standing, at_s: float) -> None:
        """Begin as ``before`` ended: a parked car is not asked because its agent has new settings."""
        if before.stance is Stance.AWAKE:
            return
        self._depth.go_on(before)
        self._use.ended()
        self.look(at_s)
        if self.stance is Stance.RESTING:
            self._rest_reason = before.reason

    # What was heard.

    def add(self, name: str) -> None:
        """A source that asks a bus of its own."""
        self._asking[name] = Asking(self._limits.probe_s_max, self._limits.blind_probe_s, self._at_s)

    def read(self, signal: str, value: Value, at_s: float) -> None:
        """A reading of any source, but that of a voltmeter."""
        if self._use.read(signal, value, at_s):
            self.is_proven = True
            self._depth.charged("the engine ran", at_s)
            for asking in self._asking.values():
                asking.driven()

    def voltage(self, name: str, volts: float | None, at_s: float) -> None:
        """What a source's voltmeter shows, of a source that asks or not; None: it cannot tell."""
        battery = self._batteries.setdefault(name, Battery(self._limits))
        heard = None if volts is None else battery.feed(volts, at_s)
        asking = self._asking.get(name)
        if asking is not None:
            asking.looked()
            if heard is not None and (heard.is_step or heard.is_rise):
                asking.hint(at_s)
            if not battery.is_known(at_s):
                asking.blind(at_s)
        if heard is not None and heard.is_plausible:
            self._judge_voltage(asking, at_s)

    def _judge_voltage(self, asking: Asking | None, at_s: float) -> None:
        volts = self.volts(at_s)
        if volts is None:
            return
        if volts < self._limits.charging_v:
            self._depth.feed(volts, at_s)
            if self.stance is not Stance.AWAKE and self._depth.is_settled(at_s):
                self.rest_v = volts
            return
        self._depth.charged("the battery is being charged", at_s)
        if asking is not None:
            asking.lasting(at_s)
            if asking.is_answering:
                self._use.charges(at_s)

    def answered(self, name: str, at_s: float) -> None:
        """The bus of a source answers."""
        asking = self._asking[name]
        if asking.answered():
            self._use.began("the car answers", at_s, is_doubtful=asking.is_doubtful)
            self.is_proven |= not asking.is_doubtful

    def silent(self, name: str, at_s: float) -> None:
        """Nobody answers a source, or nobody any more."""
        self._asking[name].leave_alone(at_s)
        is_heard = at_s - self._traffic_at_s < TRAFFIC_GAP_S
        if not is_heard and not any(asking.may_ask for asking in self._asking.values()):
            self._use.ended()
            self._is_silent = True

    def traffic(self, name: str, at_s: float) -> None:
        """A source heard what it had not asked for; of one that never asks that is evidence by itself."""
        if name in self._asking:
            self._asking[name].traffic(at_s)
            return
        self._traffic_at_s = at_s
        self._use.began("readings come in", at_s)
        self.is_proven = True

    def hint(self, name: str, at_s: float) -> None:
        """A source saw on its bus what a car in use would do: much more traffic than before."""
        self._asking[name].hint(at_s)

    def busy(self, name: str, at_s: float) -> None:
        """The bus of a source carries traffic, although nobody answers or is asked."""
        self._asking[name].lasting(at_s)

    def ignition(self, *, is_on: bool, at_s: float) -> None:
        """The ignition line, at each look at it."""
        if self._use.ignition(is_on=is_on, at_s=at_s):
            self._wake(at_s)

    def resumed(self, at_s: float) -> None:
        """The machine has slept, and something woke it."""
        self._use.began("the machine woke up", at_s)
        self._wake(at_s)

    def _wake(self, at_s: float) -> None:
        self._depth.pardon()
        self.is_proven = True
        for asking in self._asking.values():
            asking.ask(at_s)

    # What follows.

    def look(self, at_s: float) -> None:
        """Decide anew."""
        self._at_s = at_s
        is_awake = not self._limits.is_enabled or (
            at_s < self._use.ends_at_s() and not self._depth.is_critical
        )
        if is_awake:
            self._depth.loaded(at_s)
        self._depth.look(at_s)
        stance = Stance.AWAKE if is_awake else self._depth.stance
        if stance is not self.stance:
            self._enter(stance, at_s)
        self.reason = self._reason()
        for asking in self._asking.values():
            if is_awake:
                asking.lasting(at_s)
            else:
                asking.look(at_s)
        self._look_at_battery(at_s)

    def _reason(self) -> str:
        if self.stance is Stance.AWAKE:
            return self._use.reason if self._limits.is_enabled else NOT_ENABLED
        return self._depth.reason if self.stance.is_closed else self._rest_reason

    def _enter(self, stance: Stance, at_s: float) -> None:
        was, self.stance, self.since_s = self.stance, stance, at_s
        if stance is Stance.AWAKE:
            self._is_silent = False
            for asking in self._asking.values():
                asking.ask(at_s)
        elif was is Stance.AWAKE:
            self._rest(at_s)
        elif stance is Stance.RESTING:
            self._rest_reason = self._depth.reason
        self._look_s = at_s + self._look_interval_s()

    def _rest(self, at_s: float) -> None:
        self._rest_reason = "nobody answers" if self._is_silent else "nothing tells that the car is in use"
        self._use.ended()
        self.is_proven = False
        for battery in self._batteries.values():
            battery.forget()
        for asking in self._asking.values():
            asking.leave_alone(at_s)

    def _look_interval_s(self) -> float:
        intervals_s = {Stance.SAVING: self._limits.duty_interval_s, Stance.ASLEEP: self._limits.sleep_look_s}
        return intervals_s.get(self.stance, float("inf"))

    def _look_at_battery(self, at_s: float) -> None:
        was_under_way, is_under_way = (
            self._look_is_under_way,
            any(a.looks_left for a in self._asking.values()),
        )
        if was_under_way or is_under_way:
            # The interval counts from the end of a look: a short one would never let it end.
            self._look_s = at_s + self._look_interval_s()
        if at_s >= self._look_s:
            self._looking_until_s, is_under_way = at_s + LOOK_S_MAX, True
            self._want_looks(READINGS_MIN)
        elif at_s >= self._looking_until_s:
            self._want_looks(0)
        self._look_is_under_way = is_under_way

    def _want_looks(self, count: int) -> None:
        for asking in self._asking.values():
            asking.looks_left = count

    # What holds.

    @property
    def at_s(self) -> float:
        """When it last decided."""
        return self._at_s

    @property
    def is_looking(self) -> bool:
        """Whether a look at the battery, or a probe of the bus, is under way while all is closed."""
        return self.stance.is_closed and any(self.is_open(name) for name in self._asking)

    def may_ask(self, name: str) -> bool:
        """Whether the source may put requests on its bus."""
        return self._asking[name].may_ask

    def is_open(self, name: str) -> bool:
        """Whether the source may keep its port open."""
        asking = self._asking[name]
        return not self.stance.is_closed or asking.may_ask or asking.looks_left > 0

    def look_interval_s(self) -> float:
        """How long a source waits between two looks at the battery."""
        return LOOK_PACE_S if self.stance.is_closed else self._limits.rest_look_s

    def volts(self, at_s: float) -> float | None:
        """The smoothed voltage; of several voltmeters the highest, for each shows less by its cable."""
        known = [battery.volts(at_s) for battery in self._batteries.values()]
        return max((volts for volts in known if volts is not None), default=None)

    def next_look_s(self) -> float:
        """When ``look`` may change something without an event."""
        if self.stance is Stance.AWAKE:
            return max(self._at_s, self._use.ends_at_s()) if self._limits.is_enabled else float("inf")
        if self.is_looking:
            return self._at_s + LOOK_PACE_S
        return max(self._at_s, min(self._look_s, self._depth.next_look_s()))

    def next_battery_look_s(self) -> float | None:
        """When the battery is looked at next while all is closed, None in the other stances."""
        return self._look_s if self.stance.is_closed else None

    def counts(self) -> dict[str, int]:
        """For the status."""
        return {
            "probes": sum(asking.probes for asking in self._asking.values()),
            "implausible_voltages": sum(battery.implausible for battery in self._batteries.values()),
        }
