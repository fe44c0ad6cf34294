"""The sending of one epoch: what is published when, without any I/O."""

from __future__ import annotations

import math

import pytest

from milepost_agent.uplink.session import (
    FRESH_SEQS_MAX,
    OPEN_RANGES_MAX,
    URGENT_RANGES_MAX,
    Kind,
    Session,
    Verdict,
    Want,
)
from milepost_protocol.limits import RECEIPT_RANGES_MAX
from milepost_protocol.receipt import Receipt
from support.sessions import session_limits

EPOCH = "9f3a1c77e0b24d51"
LIMITS = session_limits(batch_samples_min=10, batch_wait_s=30.0, receipt_timeout_s=20.0, resend_s_max=100.0)


def session(stored: int = 0, receipted: int = 0, *, is_current: bool = True) -> Session:
    made = Session(EPOCH, receipted, LIMITS, is_current=is_current)
    made.stored(stored, 0.0)
    made.connected()
    return made


def receipt(seq: int, *above: tuple[int, int]) -> Receipt:
    return Receipt(EPOCH, seq, above)


def wanted(made: Session, now_s: float = 0.0) -> Want | None:
    again = made.overdue(now_s)
    return again or next((want for kind in Kind if (want := made.wanted(kind, now_s))), None)


def publish(made: Session, first: int, last: int, now_s: float = 0.0, kind: Kind = Kind.FRESH) -> None:
    made.published(first, last, 100, kind, now_s)


def send(made: Session, count: int, now_s: float = 0.0) -> list[tuple[int, int]]:
    """Publish batches of at most ``count`` seqs until nothing is wanted; what was published."""
    sent = []
    while want := wanted(made, now_s):
        last = min(want.last_max, want.first + count - 1)
        publish(made, want.first, last, now_s, want.kind)
        made.acknowledged(want.first, last, now_s)
        sent.append((want.first, last))
    return sent


def test_what_is_hastened_waits_for_no_company_and_what_follows_does() -> None:
    made = session(stored=20)
    send(made, 20)
    made.hasten()
    made.stored(21, 5.0)
    assert wanted(made, 5.0) == Want(21, 21, Kind.FRESH)
    publish(made, 21, 21, 5.0)
    made.stored(22, 6.0)
    assert wanted(made, 6.0) is None


def test_a_batch_that_leaves_meanwhile_takes_no_haste_away() -> None:
    made = session(stored=20)
    send(made, 20)
    made.stored(22, 4.0)
    made.hasten()
    publish(made, 21, 22, 5.0)
    made.stored(23, 5.0)
    assert wanted(made, 5.0) == Want(23, 23, Kind.FRESH)


def test_nothing_is_wanted_without_a_connection() -> None:
    made = session(stored=100)
    made.disconnected()
    assert wanted(made) is None
    assert made.wake_at_s(0.0) == math.inf


def test_a_receipt_frees_what_it_covers_and_advances() -> None:
    made = session(stored=40)
    assert send(made, 10) == [(1, 10), (11, 20), (21, 30), (31, 40)]
    assert (made.unreceipted_batches, made.unreceipted_bytes) == (4, 400)
    assert made.receipt(receipt(10), 1.0) is Verdict.ADVANCED
    assert made.receipted == 10
    assert made.unreceipted_batches == 3


def test_few_samples_wait_for_company_but_not_for_ever() -> None:
    made = session(stored=100)
    publish(made, 1, 100)
    made.receipt(receipt(100), 1.0)
    made.stored(103, 50.0)
    assert wanted(made, 50.0) is None
    assert made.wake_at_s(50.0) == 80.0
    assert wanted(made, 80.0) == Want(101, 103, Kind.FRESH)
    made.stored(111, 60.0)
    assert wanted(made, 60.0) == Want(101, 111, Kind.FRESH)


def test_after_a_connection_nothing_old_waits() -> None:
    assert wanted(session(stored=3)) == Want(1, 3, Kind.FRESH)


def test_after_an_outage_the_newest_goes_first_and_then_the_backlog_from_the_bottom() -> None:
    made = session(stored=10_000)
    fresh = 10_000 - FRESH_SEQS_MAX + 1
    assert wanted(made) == Want(fresh, 10_000, Kind.FRESH)
    publish(made, fresh, 10_000)
    assert wanted(made) == Want(1, fresh - 1, Kind.BACKLOG)
    publish(made, 1, 4000, kind=Kind.BACKLOG)
    made.stored(10_020, 5.0)
    assert wanted(made, 5.0) == Want(10_001, 10_020, Kind.FRESH)
    publish(made, 10_001, 10_020, 5.0)
    assert wanted(made, 5.0) == Want(4001, fresh - 1, Kind.BACKLOG)


def test_what_is_stored_during_an_outage_counts_for_what_is_fresh() -> None:
    made = session(stored=100)
    made.disconnected()
    made.stored(5_000, 60.0)
    made.connected()
    assert wanted(made, 60.0) == Want(5_000 - FRESH_SEQS_MAX + 1, 5_000, Kind.FRESH)


def test_an_old_epoch_has_a_backlog_only() -> None:
    assert wanted(session(stored=100, is_current=False)) == Want(1, 100, Kind.BACKLOG)


def test_faults_go_before_all_else_and_alone() -> None:
    made = session(stored=10_000)
    made.hurry([(500, 501), (700, 700)], 10_000)
    assert wanted(made) == Want(500, 501, Kind.FAULT)
    publish(made, 500, 501)
    assert wanted(made) == Want(700, 700, Kind.FAULT)
    made.receipt(receipt(0, (500, 501), (700, 700)), 1.0)
    want = wanted(made)
    assert want is not None
    assert want.kind is Kind.FRESH
    made.hurry([(10_001, 10_001)], 10_001)
    made.stored(10_001, 1.0)
    assert wanted(made, 1.0) == Want(10_001, 10_001, Kind.FAULT), "it waits for no company"


def test_few_ranges_are_open_at_a_time_and_the_rest_goes_in_order() -> None:
    made = session(stored=10_000)
    made.hurry([(seq, seq) for seq in range(100, 100 + 10 * 30, 10)], 10_000)
    sent = []
    while (want := wanted(made)) and want.kind is Kind.FAULT:
        publish(made, want.first, want.last_max)
        sent.append(want.first)
    assert sent == list(range(100, 100 + 10 * OPEN_RANGES_MAX, 10))
    assert made.open_ranges == OPEN_RANGES_MAX < RECEIPT_RANGES_MAX
    assert want == Want(1, 99, Kind.BACKLOG), "no fresh range either"
    publish(made, 1, 99)
    assert wanted(made) == Want(220, 220, Kind.FAULT), "one range less is open now"


def test_faults_remembered_are_bounded() -> None:
    made = session(stored=10_000)
    made.hurry(((seq, seq) for seq in range(1, 10_000, 2)), 10_000)
    assert made.urgent_room == 0
    assert wanted(made) == Want(1, 1, Kind.FAULT)
    publish(made, 1, 9_000)
    made.receipt(receipt(9_000), 1.0)
    assert made.urgent_room == URGENT_RANGES_MAX


def test_without_a_receipt_the_oldest_is_sent_again_with_growing_pauses() -> None:
    made = session(stored=40)
    send(made, 10)
    resent_s = []
    for now_s in range(400):
        if want := wanted(made, float(now_s)):
            assert (want.first, want.last_max) == (1, 10)
            publish(made, 1, 10, float(now_s))
            made.acknowledged(1, 10, float(now_s))
            resent_s.append(now_s)
    assert resent_s == [20, 40, 80, 160, 260, 360]
    assert made.resends == 6


def test_before_its_puback_nothing_is_sent_again() -> None:
    made = session(stored=10)
    publish(made, 1, 10)
    assert made.wake_at_s(0.0) == math.inf
    assert wanted(made, 1e9) is None
    made.acknowledged(1, 10, 100.0)
    assert made.wake_at_s(100.0) == 120.0
    assert wanted(made, 119.9) is None
    assert wanted(made, 120.0) == Want(1, 10, Kind.FRESH)


def test_once_the_server_answers_everything_lost_follows_at_once() -> None:
    made = session(stored=20)
    assert send(made, 10) == [(1, 10), (11, 20)]
    assert wanted(made, 20.0) == Want(1, 10, Kind.FRESH)
    publish(made, 1, 10, 20.0)
    assert wanted(made, 21.0) is None
    assert made.receipt(receipt(10), 21.0) is Verdict.ADVANCED
    assert wanted(made, 21.0) == Want(11, 20, Kind.FRESH)


def test_a_batch_cut_shorter_than_before_leaves_its_rest_under_way() -> None:
    made = session(stored=10)
    send(made, 10)
    assert wanted(made, 20.0) == Want(1, 10, Kind.FRESH)
    publish(made, 1, 6, 20.0)
    made.receipt(receipt(6), 21.0)
    made.acknowledged(1, 10, 21.0)
    assert wanted(made, 41.0) == Want(7, 10, Kind.FRESH)


def test_a_reconnect_sends_all_without_a_receipt_and_skips_what_is_committed() -> None:
    made = session(stored=60)
    send(made, 10)
    assert made.receipt(receipt(0, (11, 20), (41, 50)), 1.0) is Verdict.UNCHANGED
    made.disconnected()
    made.connected()
    assert send(made, 100, 2.0) == [(1, 10), (21, 40), (51, 60)]


def test_a_late_receipt_is_no_restored_server() -> None:
    made = session(stored=100)
    for first in (1, 11, 21, 31):
        publish(made, first, first + 9)
    assert made.receipt(receipt(20, (31, 40)), 1.0) is Verdict.ADVANCED
    assert made.receipt(receipt(10, (31, 40)), 1.0) is Verdict.STALE
    assert made.receipt(receipt(0, (11, 20)), 1.0) is Verdict.STALE
    assert made.receipted == 20


def test_a_late_receipt_of_the_same_watermark_takes_nothing_back() -> None:
    made = session(stored=100)
    made.receipt(receipt(20, (31, 40), (51, 60)), 1.0)
    assert made.receipt(receipt(20, (31, 40)), 2.0) is Verdict.UNCHANGED
    assert send(made, 100, 2.0) == [(21, 30), (41, 50), (61, 100)]


def full(first: int) -> tuple[tuple[int, int], ...]:
    """As many ranges as one receipt has room for."""
    return tuple((first + 10 * n, first + 10 * n + 4) for n in range(RECEIPT_RANGES_MAX))


def test_a_late_receipt_is_no_restored_server_where_a_later_one_had_no_room_for_what_it_names() -> None:
    made = session(stored=500)
    publish(made, 400, 404)
    made.acknowledged(400, 404, 0.0)
    made.receipt(receipt(20, *full(30)), 1.0)
    assert made.receipt(receipt(10, *full(30)[:-1], (400, 404)), 2.0) is Verdict.STALE
    assert made.receipt(receipt(10, *full(30)[:-1], (400, 404)), 3.0) is Verdict.STALE
    assert made.overdue(21.0) == Want(400, 404, Kind.FRESH)


def test_a_server_that_went_back_is_known_by_its_answer_to_a_resend_where_a_receipt_had_no_room() -> None:
    made = session(stored=500)
    publish(made, 400, 404)
    made.receipt(receipt(20, *full(30)), 1.0)
    assert made.receipt(receipt(10, (400, 404)), 2.0) is Verdict.STALE
    assert made.receipt(receipt(10, (400, 404)), 2.0 + LIMITS.receipt_timeout_s) is Verdict.RESTORED
    assert made.receipted == 10


def test_a_doubt_ends_with_the_next_news() -> None:
    made = session(stored=500)
    made.receipt(receipt(20, *full(30)), 1.0)
    made.receipt(receipt(10, (400, 404)), 2.0)
    assert made.receipt(receipt(25, *full(30)), 3.0) is Verdict.ADVANCED
    assert made.receipt(receipt(10, (400, 404)), 100.0) is Verdict.STALE


def test_a_server_that_went_back_is_known_by_what_it_newly_holds() -> None:
    made = session(stored=100)
    publish(made, 1, 40)
    made.receipt(receipt(40), 1.0)
    publish(made, 41, 60, 2.0)
    assert made.receipt(receipt(15, (41, 60)), 3.0) is Verdict.RESTORED
    assert made.receipted == 15
    assert wanted(made, 3.0) == Want(16, 40, Kind.FRESH)
    publish(made, 16, 40, 3.0)
    assert made.receipt(receipt(60), 4.0) is Verdict.ADVANCED
    assert wanted(made, 4.0) == Want(61, 100, Kind.FRESH)


def test_what_a_restored_server_forgot_above_its_seq_is_sent_again() -> None:
    made = session(stored=30)
    for first in (1, 11, 21):
        publish(made, first, first + 9)
    made.receipt(receipt(0, (21, 30)), 1.0)
    made.receipt(receipt(20), 2.0)
    assert wanted(made, 2.0) == Want(21, 30, Kind.FRESH)


def test_other_epochs_and_impossible_seqs_are_told_apart() -> None:
    made = session(stored=30)
    assert made.receipt(Receipt("0" * 16, 30), 0.0) is Verdict.OTHER_EPOCH
    assert made.receipt(receipt(31), 0.0) is Verdict.AHEAD
    assert made.receipt(receipt(0, (31, 40)), 0.0) is Verdict.AHEAD
    assert made.receipted == 0


def test_what_was_published_is_stored_although_nobody_has_told_that_yet() -> None:
    # A gap that grew meanwhile takes a batch beyond what was known to be stored.
    made = session(stored=30)
    publish(made, 1, 40)
    assert made.receipt(receipt(40), 1.0) is Verdict.ADVANCED


@pytest.mark.parametrize("seq", [10, 12])
def test_what_was_receipted_while_it_was_cut_is_not_under_way(seq: int) -> None:
    made = session(stored=20)
    made.receipt(receipt(seq), 1.0)
    publish(made, 1, 10, 1.0)
    assert made.unreceipted_batches == 0


def test_what_was_committed_above_the_watermark_while_it_was_cut_is_not_under_way() -> None:
    # Receipts that say nothing new would never end its flight, and it would be sent again for ever.
    made = session(stored=40)
    made.receipt(receipt(10, (21, 30)), 1.0)
    publish(made, 21, 30, 2.0)
    assert made.unreceipted_batches == 0
