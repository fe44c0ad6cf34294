"""Coverage against the plainest model there is: a set of seqs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from milepost_protocol.limits import RECEIPT_RANGES_MAX
from milepost_protocol.receipt import decode_receipt, encode_receipt
from milepost_server.ingest.coverage import Coverage

SEQ_MAX = 60
spans = st.tuples(st.integers(1, SEQ_MAX), st.integers(1, 12)).map(
    lambda pair: (pair[0], pair[0] + pair[1] - 1)
)


def build(taken: list[tuple[int, int]]) -> tuple[Coverage, set[int]]:
    coverage = Coverage()
    model: set[int] = set()
    for first, last in taken:
        coverage = coverage.with_span(first, last)
        model |= set(range(first, last + 1))
    return coverage, model


def seqs_of(found: object) -> set[int]:
    return {seq for first, last in found for seq in range(first, last + 1)}  # type: ignore[attr-defined]


@given(st.lists(spans, max_size=30))
def test_coverage_is_the_set_of_what_was_added(taken: list[tuple[int, int]]) -> None:
    coverage, model = build(taken)
    assert set(range(1, coverage.watermark + 1)) | seqs_of(coverage.ranges) == model
    assert coverage.watermark + 1 not in model
    edges = [coverage.watermark, *(edge for span in coverage.ranges for edge in span)]
    assert edges == sorted(edges)
    assert all(low > high + 1 for high, low in zip(edges[::2], edges[1::2], strict=False))


@given(st.lists(spans, max_size=30), spans)
def test_covered_and_uncovered_split_a_span(taken: list[tuple[int, int]], span: tuple[int, int]) -> None:
    coverage, model = build(taken)
    asked = set(range(span[0], span[1] + 1))
    assert seqs_of(coverage.uncovered(*span)) == asked - model
    assert seqs_of(coverage.covered(*span)) == asked & model


@given(st.lists(spans, max_size=30), st.randoms())
def test_order_changes_nothing(taken: list[tuple[int, int]], random: object) -> None:
    shuffled = list(taken)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert build(taken)[0] == build(shuffled)[0]


def test_a_receipt_names_what_it_answers_then_the_lowest_ranges() -> None:
    coverage, _ = build([(2 * number, 2 * number) for number in range(5, 50)])
    receipt = coverage.receipt("9f3a1c77e0b24d51", [(70, 70), (90, 93)])
    assert decode_receipt(encode_receipt(receipt)) == receipt
    assert len(receipt.above) == RECEIPT_RANGES_MAX
    assert receipt.above[:2] == ((10, 10), (12, 12))
    assert receipt.above[-3:] == ((70, 70), (90, 90), (92, 92))


def test_of_many_answered_ranges_a_receipt_names_the_highest() -> None:
    coverage, _ = build([(2 * number, 2 * number) for number in range(5, 50)])
    receipt = coverage.receipt("9f3a1c77e0b24d51", [(1, 1000)])
    assert receipt.above == coverage.ranges[-RECEIPT_RANGES_MAX:]
