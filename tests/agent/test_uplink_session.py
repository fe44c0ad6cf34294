"""The uplink's session: what is published when, without any I/O."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.uplink.session import Session, SessionLimits, Verdict, Want
from milepost_protocol.receipt import Receipt

EPOCH = "9f3a1c77e0b24d51"
LIMITS = SessionLimits(
    window_batches=2,
    unreceipted_batches_max=4,
    unreceipted_bytes_max=1000,
    batch_samples_min=10,
    batch_wait_s=30.0,
    receipt_timeout_s=20.0,
    resend_s_max=100.0,
)


def session(stored: int = 0, receipted: int = 0) -> Session:
    made = Session(EPOCH, receipted, LIMITS)
    made.stored(stored, 0.0)
    made.connected()
    return made


def receipt(seq: int, *above: tuple[int, int]) -> Receipt:
    return Receipt(EPOCH, seq, above)


def send(made: Session, count: int, now_s: float = 0.0, size_bytes: int = 100) -> list[tuple[int, int]]:
    """Publish batches of at most ``count`` seqs until nothing is wanted; what was published."""
    sent = []
    while want := made.wanted(now_s):
        last = min(want.last_max, want.first + count - 1)
        made.published(want.first, last, size_bytes, now_s)
        sent.append((want.first, last))
    return sent


def test_nothing_is_wanted_without_a_connection() -> None:
    made = session(stored=100)
    made.disconnected()
    assert made.wanted(0.0) is None
    assert made.wake_at_s() == math.inf


def test_the_window_is_bounded_by_what_the_broker_has_not_acknowledged() -> None:
    made = session(stored=100)
    assert send(made, 10) == [(1, 10), (11, 20)]
    made.acknowledged(1, 10)
    assert send(made, 10) == [(21, 30)]


def test_batches_without_a_receipt_are_bounded_in_number_and_bytes() -> None:
    made = session(stored=100)
    for first in (1, 11, 21, 31):
        assert made.wanted(0.0) == Want(first, 100)
        made.published(first, first + 9, 100, 0.0)
        made.acknowledged(first, first + 9)
    assert made.wanted(0.0) is None
    made = session(stored=100)
    made.published(1, 10, 1000, 0.0)
    made.acknowledged(1, 10)
    assert made.wanted(0.0) is None


def test_a_receipt_frees_what_it_covers_and_advances() -> None:
    made = session(stored=100)
    send(made, 10)
    assert made.receipt(receipt(10), 1.0) is Verdict.ADVANCED
    assert made.receipted == 10
    assert send(made, 10) == [(21, 30)]


def test_few_samples_wait_for_company_but_not_for_ever() -> None:
    made = session(stored=100)
    made.published(1, 100, 100, 0.0)
    made.receipt(receipt(100), 1.0)
    made.stored(103, 50.0)
    assert made.wanted(50.0) is None
    assert made.wake_at_s() == 80.0
    assert made.wanted(80.0) == Want(101, 103)
    made.stored(111, 60.0)
    assert made.wanted(60.0) == Want(101, 111)


def test_after_a_connection_nothing_old_waits() -> None:
    made = session(stored=3)
    assert made.wanted(0.0) == Want(1, 3)


def test_without_a_receipt_the_oldest_is_sent_again_with_growing_pauses() -> None:
    made = session(stored=40)
    assert send(made, 10) == [(1, 10), (11, 20)]
    made.acknowledged(1, 20)
    assert send(made, 10) == [(21, 30), (31, 40)]
    resent_s = []
    for now_s in range(400):
        if want := made.wanted(float(now_s)):
            assert want == Want(1, 10)
            made.published(1, 10, 100, float(now_s))
            resent_s.append(now_s)
    assert resent_s == [20, 40, 80, 160, 260, 360]
    assert made.resends == 6


def test_once_the_server_answers_everything_lost_follows_at_once() -> None:
    made = session(stored=20)
    assert send(made, 10) == [(1, 10), (11, 20)]
    assert made.wanted(20.0) == Want(1, 10)
    made.published(1, 10, 100, 20.0)
    assert made.wanted(21.0) is None
    assert made.receipt(receipt(10), 21.0) is Verdict.ADVANCED
    assert made.wanted(21.0) == Want(11, 20)


def test_a_batch_cut_shorter_than_before_leaves_its_rest_under_way() -> None:
    made = session(stored=10)
    made.published(1, 10, 100, 0.0)
    assert made.wanted(20.0) == Want(1, 10)
    made.published(1, 6, 60, 20.0)
    made.receipt(receipt(6), 21.0)
    assert made.wanted(21.0) == Want(7, 10)


def test_a_reconnect_sends_all_without_a_receipt_and_skips_what_is_committed() -> None:
    made = session(stored=60)
    send(made, 10)
    assert made.receipt(receipt(0, (11, 20), (41, 50)), 1.0) is Verdict.UNCHANGED
    made.disconnected()
    made.connected()
    assert made.wanted(2.0) == Want(1, 10)
    made.published(1, 10, 100, 2.0)
    assert made.wanted(2.0) == Want(21, 40)
    made.published(21, 40, 100, 2.0)
    made.acknowledged(1, 40)
    assert made.wanted(2.0) == Want(51, 60)


def test_a_late_receipt_is_no_restored_server() -> None:
    made = session(stored=100)
    for first in (1, 11, 21, 31):
        made.published(first, first + 9, 100, 0.0)
    assert made.receipt(receipt(20, (31, 40)), 1.0) is Verdict.ADVANCED
    assert made.receipt(receipt(10, (31, 40)), 1.0) is Verdict.STALE
    assert made.receipt(receipt(0, (11, 20)), 1.0) is Verdict.STALE
    assert made.receipted == 20


def test_a_server_that_went_back_is_known_by_what_it_newly_holds() -> None:
    made = session(stored=100)
    made.published(1, 40, 100, 0.0)
    made.receipt(receipt(40), 1.0)
    made.published(41, 60, 100, 2.0)
    assert made.receipt(receipt(15, (41, 60)), 3.0) is Verdict.RESTORED
    assert made.receipted == 15
    assert made.wanted(3.0) == Want(16, 40)
    made.published(16, 40, 100, 3.0)
    assert made.receipt(receipt(60), 4.0) is Verdict.ADVANCED
    assert made.wanted(4.0) == Want(61, 100)


def test_what_a_restored_server_forgot_above_its_seq_is_sent_again() -> None:
    made = session(stored=30)
    for first in (1, 11, 21):
        made.published(first, first + 9, 100, 0.0)
    made.receipt(receipt(0, (21, 30)), 1.0)
    made.receipt(receipt(20), 2.0)
    assert made.wanted(2.0) == Want(21, 30)


def test_other_epochs_and_impossible_seqs_are_told_apart() -> None:
    made = session(stored=30)
    assert made.receipt(Receipt("0" * 16, 30), 0.0) is Verdict.OTHER_EPOCH
    assert made.receipt(receipt(31), 0.0) is Verdict.AHEAD
    assert made.receipt(receipt(0, (31, 40)), 0.0) is Verdict.AHEAD
    assert made.receipted == 0


class BadLink:
    """A session, a server, and a network between them that loses, delays and reorders as a test says."""

    def __init__(self) -> None:
        self.session = session()
        self.now_s = 0.0
        self.stored = 0
        self.server: set[int] = set()
        self.batches: list[tuple[int, int]] = []
        self.answers: list[Receipt] = []

    def store(self, data: st.DataObject) -> None:
        self.stored += data.draw(st.integers(1, 30))
        self.session.stored(self.stored, self.now_s)

    def send(self, data: st.DataObject) -> None:
        if want := self.session.wanted(self.now_s):
            assert self.session.receipted < want.first <= want.last_max <= self.stored
            assert self.session.unreceipted_batches <= LIMITS.unreceipted_batches_max
            last = data.draw(st.integers(want.first, want.last_max))
            self.session.published(want.first, last, 50, self.now_s)
            self.batches.append((want.first, last))

    def arrive(self, data: st.DataObject) -> None:
        if self.batches:
            self.commit(*self.batches.pop(data.draw(st.integers(0, len(self.batches) - 1))))

    def commit(self, first: int, last: int) -> None:
        self.session.acknowledged(first, last)
        self.server |= set(range(first, last + 1))
        known: list[tuple[int, int]] = [(0, 0)]
        for seq in sorted(self.server):
            if known[-1][1] + 1 == seq:
                known[-1] = (known[-1][0], seq)
            else:
                known.append((seq, seq))
        self.answers.append(receipt(known[0][1], *known[1:17]))

    def answer(self, data: st.DataObject) -> None:
        if self.answers:
            late = self.answers.pop(data.draw(st.integers(0, len(self.answers) - 1)))
            assert self.session.receipt(late, self.now_s) not in (Verdict.RESTORED, Verdict.AHEAD)

    def drop(self, data: st.DataObject) -> None:
        if self.batches:
            self.batches.pop(data.draw(st.integers(0, len(self.batches) - 1)))

    def cut(self, data: st.DataObject) -> None:
        self.session.disconnected()
        self.batches.clear()
        self.answers.clear()
        self.session.connected()

    def heal(self) -> None:
        """From now on nothing is lost."""
        for _ in range(500):
            if self.session.receipted == self.stored:
                return
            self.now_s = max(self.now_s, min(self.session.wake_at_s(), self.now_s + LIMITS.resend_s_max))
            for first, last in send(self.session, 10, self.now_s):
                self.commit(first, last)
                self.session.receipt(self.answers[-1], self.now_s)


@given(st.data())
def test_over_any_bad_link_everything_arrives_in_the_end(data: st.DataObject) -> None:
    link = BadLink()
    happenings = [link.store, *[link.send, link.arrive, link.answer] * 2, link.drop, link.cut]
    for _ in range(data.draw(st.integers(5, 60))):
        link.now_s += data.draw(st.sampled_from([0.0, 0.1, 5.0, 25.0]))
        data.draw(st.sampled_from(happenings))(data)
        assert set(range(1, link.session.receipted + 1)) <= link.server
    link.heal()
    assert link.session.receipted == link.stored
