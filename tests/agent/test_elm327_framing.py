"""The stream of an adapter: prompts found whatever the split, limits kept."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from milepost_agent.sources.elm327.framing import REPLY_BYTES_MAX, ReplyReader

STREAMS = st.lists(st.sampled_from([b">", b"\r", b"\0", b"7E8", b"41 0C", b"\xff", b"NO DATA"])).map(b"".join)


def read(chunks: list[bytes]) -> list[tuple[str, bool]]:
    reader = ReplyReader()
    return [tuple(reply) for chunk in chunks for reply in reader.feed(chunk)]


@given(STREAMS, st.lists(st.integers(0, 200)))
def test_any_split_gives_the_same_replies(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    chunks = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert read(chunks) == read([stream])
    assert read([bytes([byte]) for byte in stream]) == read([stream])


def test_zero_bytes_are_ignored_and_others_kept_visible() -> None:
    assert read([b"41\x000C\xff\r>"]) == [("410C\ufffd\r", False)]


def test_a_reply_over_the_limit_is_cut_and_told_whatever_the_split() -> None:
    stream = b"A" * (REPLY_BYTES_MAX + 1) + b">B>"
    expected = [("A" * REPLY_BYTES_MAX, True), ("B", False)]
    assert read([stream]) == expected
    assert read([stream[i : i + 1000] for i in range(0, len(stream), 1000)]) == expected


def test_what_has_no_prompt_yet_is_no_reply_and_can_be_forgotten() -> None:
    reader = ReplyReader()
    assert reader.feed(b"41 0C") == []
    reader.clear()
    assert reader.feed(b"NO DATA\r>")[0].text == "NO DATA\r"
