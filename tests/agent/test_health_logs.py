"""What the agent says: each thing once, with its priority, in bounded room."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.health.logs import EVENT_CHARACTERS_MAX, LineHandler, is_journal
from milepost_agent.health.repeats import MESSAGES_MAX, Repeats

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSE_S = 600.0
HOUR_S = 3600


class _Log:
    """A logger with a clock that the test moves."""

    def __init__(self, *, to_journal: bool = True, pause_s: float = PAUSE_S) -> None:
        self.now_s = 0.0
        self._stream = io.StringIO()
        self.handler = LineHandler(self._stream, Repeats(pause_s), lambda: self.now_s, to_journal=to_journal)
        self.logger = logging.Logger("milepost_agent.uplink", logging.DEBUG)
        self.logger.addHandler(self.handler)

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()


def test_a_broker_that_refuses_for_an_hour_takes_a_few_lines_and_every_attempt_is_counted() -> None:
    log = _Log()
    attempts = 0
    while log.now_s < HOUR_S:
        log.logger.warning("broker:%d: [Errno 111] Connection refused", 1883)
        log.logger.info("next attempt in %.1f s", 0.5 + attempts % 7)
        attempts += 1
        log.now_s += 5.0
        log.handler.look()
    log.handler.finish()
    refused = [line for line in log.lines if "refused" in line]
    assert len(log.lines) <= 2 * (HOUR_S / PAUSE_S + 2)
    assert refused[0] == "<4>uplink: broker:1883: [Errno 111] Connection refused"
    counted = sum(int(line.partition(" (")[2].split()[0]) for line in refused[1:])
    assert 1 + counted == attempts


def test_the_end_of_a_series_is_told_without_a_further_message() -> None:
    log = _Log()
    for _ in range(3):
        log.logger.error("no answer")
        log.now_s += 1
    log.now_s = PAUSE_S
    log.handler.look()
    assert log.lines == ["<3>uplink: no answer", "<3>uplink: no answer (2 such messages in 10 min)"]
    log.now_s *= 3
    log.handler.look()
    log.logger.error("no answer")
    assert len(log.lines) == 3, "after a pause it is news again"


def test_what_differs_in_more_than_numbers_is_said() -> None:
    log = _Log()
    for word in ("one", "two", "three"):
        log.logger.info("word %s", word)
    assert len(log.lines) == 3


@given(st.lists(st.tuples(st.text(max_size=400), st.floats(0, 1000)), max_size=300))
def test_nothing_is_lost_and_no_more_is_remembered_than_allowed(events: list[tuple[str, float]]) -> None:
    repeats, now_s, said, counted = Repeats(PAUSE_S), 0.0, 0, 0
    for message, step_s in events:
        now_s += step_s
        said += repeats.offer(message, logging.INFO, now_s)
        counted += sum(held.times for held in repeats.due(now_s))
        assert len(repeats._entries) <= MESSAGES_MAX
    counted += sum(held.times for held in repeats.finish(now_s))
    assert said + counted == len(events)


def test_without_a_pause_all_is_said() -> None:
    log = _Log(pause_s=0.0)
    for _ in range(5):
        log.logger.info("again")
    assert len(log.lines) == 5


def test_every_line_of_a_trace_has_its_priority_and_an_event_its_limit() -> None:
    log = _Log()
    try:
        raise ValueError("x" * 2 * EVENT_CHARACTERS_MAX)
    except ValueError:
        log.logger.exception("a fault")
    assert len(log.lines) > 3
    assert all(line.startswith("<3>") for line in log.lines)
    assert sum(map(len, log.lines)) < EVENT_CHARACTERS_MAX + 1000


@pytest.mark.parametrize(("level", "priority"), [(10, 7), (20, 6), (30, 4), (40, 3), (50, 3)])
def test_levels_are_priorities_of_the_journal(level: int, priority: int) -> None:
    log = _Log()
    log.logger.log(level, "said")
    assert log.lines == [f"<{priority}>uplink: said"]


def test_elsewhere_a_line_has_its_time_and_level() -> None:
    log = _Log(to_journal=False)
    log.logger.warning("said")
    date, _, level, *rest = log.lines[0].split()
    assert (len(date), level, rest) == (10, "warning", ["uplink:", "said"])


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_a_variable_of_somebody_else_does_not_make_a_terminal_the_journal(pipe: tuple[int, int]) -> None:
    _, writer = pipe
    facts = os.fstat(writer)
    assert is_journal({"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}, writer)
    assert not is_journal({"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino + 1}"}, writer)
    assert not is_journal({}, writer)


def test_a_log_that_nobody_reads_ends_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    program = (
        "import logging\nfrom milepost_agent.health.logs import setup\n"
        "handler = setup('info', 0.0, lambda: 0.0)\nlogging.error('unheard')\nhandler.finish()\nprint('on')"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=writer, check=False
        )
    finally:
        os.close(writer)
    assert done.stdout == b"on\n"
