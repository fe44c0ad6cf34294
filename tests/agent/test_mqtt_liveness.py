"""A silent broker is asked after a keepalive and given up after one and a half, whatever is sent to it."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.uplink.mqtt.liveness import GIVE_UP_KEEPALIVES, Liveness, Todo

KEEPALIVE_S = 30.0
QUIET_S = st.lists(st.floats(0.01, 2 * KEEPALIVE_S), max_size=30)


class Line:
    """A connection in virtual time. ``answers``: the broker answers a ping half a second later."""

    def __init__(self, *, answers: bool) -> None:
        self.liveness = Liveness(KEEPALIVE_S, 0.0)
        self.answers = answers
        self.pings_s: list[float] = []
        self.sent_s = [0.0]
        self.given_up_s: float | None = None
        self._pong_s = float("inf")

    def run(self, until_s: float) -> None:
        """All that happens up to ``until_s``."""
        while self.given_up_s is None and (at_s := min(self.liveness.next_s, self._pong_s)) <= until_s:
            if at_s == self._pong_s:
                self.liveness.heard(at_s)
                self._pong_s = float("inf")
            todo = self.liveness.todo(at_s)
            if todo is Todo.GIVE_UP:
                self.given_up_s = at_s
            elif todo is Todo.ASK:
                self.liveness.asked(at_s)
                self.pings_s.append(at_s)
                self.sent_s.append(at_s)
                self._pong_s = at_s + 0.5 if self.answers else float("inf")


def test_a_quiet_link_is_asked_once_a_keepalive() -> None:
    line = Line(answers=True)
    line.run(100.0)
    assert line.pings_s == [30.0, 60.0, 90.0]
    assert line.given_up_s is None


@given(QUIET_S)
def test_a_dead_link_is_given_up_in_time_whatever_is_sent(pauses_s: list[float]) -> None:
    line = Line(answers=False)
    now_s = 0.0
    for pause_s in pauses_s:
        now_s += pause_s
        line.run(now_s)
        line.liveness.sent(now_s)
    line.run(1e6)
    assert line.given_up_s == GIVE_UP_KEEPALIVES * KEEPALIVE_S
    assert line.pings_s, "it was asked before"


@given(QUIET_S, st.booleans())
def test_a_live_link_is_never_given_up_nor_left_without_a_word(
    pauses_s: list[float], is_sending: bool
) -> None:
    line = Line(answers=True)
    now_s = 0.0
    for pause_s in pauses_s:
        now_s += pause_s
        line.run(now_s)
        if is_sending:
            line.liveness.sent(now_s)
            line.sent_s.append(now_s)
        else:
            line.liveness.heard(now_s)
    assert line.given_up_s is None
    assert all(late - early <= KEEPALIVE_S for early, late in pairwise(line.sent_s))
