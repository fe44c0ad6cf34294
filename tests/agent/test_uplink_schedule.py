"""What goes next over a connection: epochs, kinds and the window; and any history over a bad link."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost_agent.buffer.streams import Stream
from milepost_agent.uplink.budget import Allowance
from milepost_agent.uplink.link import Granted
from milepost_agent.uplink.schedule import Dispatch, Order, Schedule, Search
from milepost_agent.uplink.session import FRESH_SEQS_MAX, OPEN_RANGES_MAX, URGENT_RANGES_MAX, Kind, Verdict
from milepost_protocol.receipt import Receipt
from milepost_server.ingest.coverage import Coverage
from support.sessions import session_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OLD, CURRENT = "0" * 15 + "1", "0" * 15 + "2"
LIMITS = session_limits(batch_samples_min=10, batch_wait_s=30.0, receipt_timeout_s=20.0, resend_s_max=100.0)
BATCH_BYTES = 100
ONLY = {kind: Allowance(kind, 1_000) for kind in Kind}
STEPS_MAX = 2_000


def streams(*stored: tuple[str, int, int]) -> list[Stream]:
    """Of (epoch, receipted, stored)."""
    return [Stream(n, epoch, last + 1, receipted) for n, (epoch, receipted, last) in enumerate(stored)]


def schedule(*stored: tuple[str, int, int], granted: Granted = Granted()) -> Schedule:  # noqa: B008
    made = Schedule(LIMITS)
    made.follow(streams(*stored), 0.0)
    made.connected(granted)
    return made


def publish(made: Schedule, order: Order | None, size_bytes: int = BATCH_BYTES) -> Dispatch:
    assert order is not None
    return made.published(order, order.want.first, order.want.last_max, size_bytes, 0.0)


def test_the_current_epoch_does_not_wait_for_an_old_one() -> None:
    made = schedule((OLD, 0, 5_000), (CURRENT, 0, 3_000))
    made.hurry(OLD, [(77, 77)], 5_000)
    made.hurry(CURRENT, [(88, 88)], 3_000)
    wants = []
    for _ in range(5):
        order = made.wanted(0.0)
        made.acknowledged(publish(made, order), 0.0)
        assert order is not None
        wants.append((order.epoch, order.want.first, order.want.kind))
    assert wants == [
        (CURRENT, 88, Kind.FAULT),
        (OLD, 77, Kind.FAULT),
        (CURRENT, 3_000 - FRESH_SEQS_MAX + 1, Kind.FRESH),
        (OLD, 1, Kind.BACKLOG),
        (OLD, 78, Kind.BACKLOG),
    ]


def test_kinds_that_are_not_allowed_wait() -> None:
    made = schedule((CURRENT, 0, 3_000))
    assert made.wanted(0.0, ONLY[Kind.FAULT]) is None
    order = made.wanted(0.0, ONLY[Kind.FRESH])
    publish(made, order)
    assert made.wanted(0.0, ONLY[Kind.FRESH]) is None
    assert made.wanted(0.0, ONLY[Kind.BACKLOG]) is not None


def test_a_resend_of_what_is_not_allowed_waits_too() -> None:
    made = schedule((CURRENT, 0, 100))
    made.acknowledged(publish(made, made.wanted(0.0)), 0.0)
    late_s = LIMITS.receipt_timeout_s
    assert made.wanted(late_s, ONLY[Kind.FAULT]) is None
    assert made.wanted(late_s, ONLY[Kind.FRESH]) is not None


@pytest.mark.parametrize(("granted", "batches"), [(None, LIMITS.window_batches), (1, 1), (2, 2), (60, 4)])
def test_batches_without_a_puback_are_bounded_by_the_broker_too(granted: int | None, batches: int) -> None:
    made = schedule((CURRENT, 0, 100), granted=Granted(in_flight_max=granted))
    for first in range(1, 1 + 10 * batches, 10):
        order = made.wanted(0.0)
        assert order is not None
        made.published(order, first, first + 9, BATCH_BYTES, 0.0)
    assert made.wanted(0.0) is None


def test_batches_without_a_receipt_are_bounded_in_number_and_bytes() -> None:
    for size_bytes, batches in ((100, LIMITS.unreceipted_batches_max), (30_000, 4)):
        made = schedule((CURRENT, 0, 1_000))
        for first in range(1, 1 + 10 * batches, 10):
            order = made.wanted(0.0)
            assert order is not None
            made.acknowledged(made.published(order, first, first + 9, size_bytes, 0.0), 1.0)
        assert made.wanted(0.0) is None


def test_faults_are_searched_for_once_and_as_many_as_there_is_room_for() -> None:
    made = schedule((CURRENT, 10, 100))
    assert made.searches == {CURRENT: Search(10, URGENT_RANGES_MAX)}
    made.hurry(CURRENT, [(20, 20)], 100)
    assert made.searches == {CURRENT: Search(100, URGENT_RANGES_MAX - 1)}
    made.hurry(CURRENT, [(30, 30)] * URGENT_RANGES_MAX, 101)
    assert made.searches == {CURRENT: Search(101, 0)}


def test_a_batch_is_no_larger_than_what_is_left_of_the_day() -> None:
    order = schedule((CURRENT, 0, 100)).wanted(0.0, Allowance(Kind.FRESH, 1_500))
    assert order is not None
    assert order.bytes_max == 1_500


def test_a_batch_is_no_larger_than_the_broker_takes() -> None:
    made = schedule((CURRENT, 0, 100), granted=Granted(packet_bytes_max=2_000))
    order = made.wanted(0.0)
    assert order is not None
    assert order.bytes_max < 2_000


def test_nothing_is_wanted_before_and_after_a_connection() -> None:
    made = Schedule(LIMITS)
    assert (made.wanted(0.0), made.wake_at_s(0.0), made.current) == (None, math.inf, None)
    made.follow(streams((CURRENT, 0, 100)), 0.0)
    assert made.wanted(0.0) is None
    made.connected(Granted())
    assert made.wanted(0.0) is not None
    made.disconnected()
    assert made.wanted(0.0) is None


def test_an_epoch_that_comes_up_while_connected_is_sent_at_once() -> None:
    made = schedule((OLD, 0, 10))
    made.follow(streams((OLD, 0, 10), (CURRENT, 0, 5)), 1.0)
    orders = [made.wanted(1.0)]
    made.acknowledged(publish(made, orders[0]), 1.0)
    orders.append(made.wanted(1.0))
    assert [order.epoch for order in orders if order] == [CURRENT, OLD]
    assert made.receipt(Receipt("f" * 16, 1), 1.0) is Verdict.OTHER_EPOCH


class World:
    """A schedule, a store, a broker and a server, and between them whatever a test draws."""

    def __init__(self, data: st.DataObject) -> None:
        self.draw = data.draw
        self.now_s = 0.0
        self.schedule = Schedule(LIMITS)
        old = self.draw(st.integers(0, 1_500))
        self.stored = ({OLD: old} if old else {}) | {CURRENT: self.draw(st.integers(0, 1_500))}
        self.receipted = dict.fromkeys(self.stored, 0)
        self.server = {epoch: Coverage() for epoch in self.stored}
        self.backup = Coverage()
        self.link: list[Dispatch] = []
        self.broker: list[Dispatch] = []
        self.answers: list[Receipt] = []
        self.verdicts: set[Verdict] = set()
        self.follow()
        self.schedule.connected(Granted())

    def follow(self) -> None:
        """As the uplink does: the server's word to the store, then what the store has."""
        for epoch, seq in self.schedule.words:
            self.receipted[epoch] = seq
        for epoch in [epoch for epoch in self.stored if epoch != CURRENT]:
            if self.receipted[epoch] == self.stored[epoch]:
                del self.stored[epoch]
        known = [(epoch, self.receipted[epoch], last) for epoch, last in self.stored.items()]
        self.schedule.follow(streams(*known), self.now_s)

    def store(self) -> None:
        self.stored[CURRENT] += self.draw(st.integers(1, 60))

    def hurry(self) -> None:
        epoch = self.draw(st.sampled_from([*self.stored]))
        if self.stored[epoch]:
            seq = self.draw(st.integers(1, self.stored[epoch]))
            self.schedule.hurry(epoch, [(seq, min(seq + 2, self.stored[epoch]))], self.stored[epoch])

    def send(self) -> None:
        self.follow()
        order = self.schedule.wanted(self.now_s)
        if order is not None:
            self.publish(order, self.draw(st.integers(order.want.first, order.want.last_max)))

    def publish(self, order: Order, last: int) -> None:
        want = order.want
        (session,) = [session for session in self.schedule.sessions if session.epoch == order.epoch]
        assert session.receipted < want.first <= want.last_max <= self.stored[order.epoch]
        before, resends = session.open_ranges, session.resends
        self.link.append(self.schedule.published(order, want.first, last, BATCH_BYTES, self.now_s))
        assert session.open_ranges <= max(OPEN_RANGES_MAX, before)
        assert len(self.link) <= LIMITS.window_batches
        if session.resends == resends:
            assert self.schedule.unreceipted_batches <= LIMITS.unreceipted_batches_max

    def acknowledge(self) -> None:
        if self.link:
            dispatch = self.link.pop(0)
            self.schedule.acknowledged(dispatch, self.now_s)
            self.broker.append(dispatch)

    def commit(self) -> None:
        if self.broker:
            batch = self.take(self.broker)
            self.server[batch.epoch] = self.server[batch.epoch].with_span(batch.first, batch.last)
            answer = self.server[batch.epoch].receipt(batch.epoch, [(batch.first, batch.last)])
            self.answers.append(answer)

    def answer(self) -> None:
        if self.answers:
            keeps = self.draw(st.booleans())
            receipt = self.take(self.answers)
            self.answers += [receipt] if keeps and len(self.answers) < 20 else []
            self.verdicts.add(self.schedule.receipt(receipt, self.now_s))

    def lose_answer(self) -> None:
        if self.answers:
            self.take(self.answers)

    def forget(self) -> None:
        """The broker loses what it acknowledged."""
        if self.broker:
            self.take(self.broker)

    def cut(self) -> None:
        self.schedule.disconnected()
        self.link.clear()
        self.answers.clear()
        self.follow()
        self.schedule.connected(Granted())

    def back_up(self) -> None:
        self.backup = self.server[CURRENT]

    def restore(self) -> None:
        """Its broker and the receipts under way go with it; a late one could only be told apart by time."""
        self.server[CURRENT] = self.backup
        self.broker.clear()
        self.answers.clear()

    def take(self, pile: list[Dispatch] | list[Receipt]) -> object:
        return pile.pop(self.draw(st.integers(0, len(pile) - 1)))

    def heal(self) -> None:
        """From now on nothing is lost, and something new is stored, by which a restored server shows."""
        self.stored[CURRENT] += LIMITS.batch_samples_min
        for _ in range(STEPS_MAX):
            self.follow()
            if self.is_done():
                return
            order = self.schedule.wanted(self.now_s)
            if order is not None:
                self.publish(order, min(order.want.last_max, order.want.first + 99))
            elif not (self.link or self.broker or self.answers):
                self.now_s = min(self.schedule.wake_at_s(self.now_s), self.now_s + LIMITS.resend_s_max)
            while self.link:
                self.acknowledge()
            while self.broker:
                self.broker.reverse()
                batch = self.broker.pop()
                self.server[batch.epoch] = self.server[batch.epoch].with_span(batch.first, batch.last)
                self.answers.append(
                    self.server[batch.epoch].receipt(batch.epoch, [(batch.first, batch.last)])
                )
            while self.answers:
                self.verdicts.add(self.schedule.receipt(self.answers.pop(0), self.now_s))

    def is_done(self) -> bool:
        return all(self.receipted[epoch] == last for epoch, last in self.stored.items())


def play(data: st.DataObject, happenings: Callable[[World], Sequence[Callable[[], None]]]) -> World:
    world = World(data)
    for _ in range(data.draw(st.integers(5, 60))):
        world.now_s += data.draw(st.sampled_from([0.0, 0.1, 5.0, 25.0]))
        data.draw(st.sampled_from(happenings(world)))()
    return world


def ordinary(world: World) -> list[Callable[[], None]]:
    busy = [world.send, world.acknowledge, world.commit, world.answer] * 3
    return [*busy, world.store, world.hurry, world.forget, world.lose_answer, world.cut]


@settings(max_examples=60)
@given(st.data())
def test_over_any_bad_link_everything_arrives_in_the_end(data: st.DataObject) -> None:
    def checked(world: World) -> list[Callable[[], None]]:
        for session in world.schedule.sessions:
            assert session.receipted <= world.server[session.epoch].watermark, "a receipt from nowhere"
        return ordinary(world)

    world = play(data, checked)
    world.heal()
    assert world.is_done()
    assert not world.verdicts & {Verdict.RESTORED, Verdict.AHEAD}
    assert all(world.server[epoch].watermark == last for epoch, last in world.stored.items())


@settings(max_examples=60)
@given(st.data())
def test_a_server_restored_at_any_moment_has_everything_in_the_end(data: st.DataObject) -> None:
    world = play(data, lambda world: [*ordinary(world), world.back_up, world.restore])
    world.heal()
    assert world.is_done()
    assert world.server[CURRENT].watermark == world.stored[CURRENT]
