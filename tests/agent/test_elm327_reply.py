"""What adapters answer, as messages: every bus, every mishap, any text."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from milepost_agent.errors import ReplyError
from milepost_agent.sources.elm327.checksum import is_sealed, j1850_crc, sum_checksum
from milepost_agent.sources.elm327.reply import Notice, parse_reply, text_lines
from milepost_agent.sources.obd.messages import Framing, Message, Refusal
from milepost_agent.sources.obd.pids import Request, requests

PROMPT_TEXT = "\r\r"


def messages(request: str, text: str) -> list[tuple[str, str]]:
    return [(m.ecu, m.payload.hex()) for m in parse_reply(request, text + PROMPT_TEXT).messages]


def legacy(header: str, payload: str, *, crc: bool = False) -> str:
    body = bytes.fromhex(header + payload)
    return (body + bytes([j1850_crc(body) if crc else sum_checksum(body)])).hex().upper()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7E804410C1AF8", [("7E8", "410c1af8")]),
        ("7E8 04 41 0C 1A F8 AA AA AA ", [("7E8", "410c1af8")]),
        ("18DAF11004410C1AF8", [("18DAF110", "410c1af8")]),
        ("18 DA F1 10 04 41 0C 1A F8 00 00 00", [("18DAF110", "410c1af8")]),
        (legacy("486B10", "410C1AF8"), [("10", "410c1af8")]),
        (legacy("84F110", "410C1AF8"), [("10", "410c1af8")]),
        (legacy("416B10", "410C1AF8", crc=True), [("10", "410c1af8")]),
        ("410C1AF8", [("", "410c1af8")]),
        ("41 0C 1A F8 \r\n", [("", "410c1af8")]),
        ("010C\r410C1AF8", [("", "410c1af8")]),
        ("SEARCHING...\r7E804410C1AF8", [("7E8", "410c1af8")]),
        ("SEARCHING...7E804410C1AF8", [("7E8", "410c1af8")]),
        ("BUS INIT: ...OK\r" + legacy("486B10", "410C1AF8"), [("10", "410c1af8")]),
        ("7E804410C1AF8\r7E904410C0000", [("7E8", "410c1af8"), ("7E9", "410c0000")]),
    ],
)
def test_reads_each_kind_of_line(text: str, expected: list[tuple[str, str]]) -> None:
    reply = parse_reply("010C", text + PROMPT_TEXT)
    assert messages("010C", text) == expected
    assert reply.garbled == 0
    assert not reply.is_silence


@pytest.mark.parametrize(
    ("text", "notice"),
    [
        ("NO DATA", Notice.NO_DATA),
        ("SEARCHING...\rSTOPPED", Notice.STOPPED),
        ("SEARCHING...UNABLE TO CONNECT", Notice.UNABLE_TO_CONNECT),
        ("BUS INIT: ERROR", Notice.BUS_INIT_ERROR),
        ("BUS INIT: ...ERROR", Notice.BUS_INIT_ERROR),
        ("CAN ERROR", Notice.CAN_ERROR),
        ("BUFFER FULL", Notice.BUFFER_FULL),
        ("BUS BUSY", Notice.BUS_BUSY),
        ("FB ERROR", Notice.FEEDBACK_ERROR),
        ("?", Notice.UNKNOWN_COMMAND),
        ("LV RESET", Notice.LOW_VOLTAGE_RESET),
        ("\r\rELM327 v1.5", Notice.RESET),
        ("7E804410C1AF8 <DATA ERROR", Notice.DATA_ERROR),
        ("410C1AF8<RX ERROR", Notice.RX_ERROR),
    ],
)
def test_knows_what_adapters_say_and_takes_no_data_from_it(text: str, notice: Notice) -> None:
    reply = parse_reply("010C", text + PROMPT_TEXT)
    assert reply.notices == {notice}
    assert reply.messages == ()


@pytest.mark.parametrize(
    "text",
    [
        "7E804410C1A",  # half a frame: shorter than its own length
        "7E80",
        "7E8",
        legacy("486B10", "410C1AF8")[:-2],  # half a frame: no checksum any more
        "410D32",  # the late answer to another request
        "7E803410D32",
        "GARBAGE@@",
        "48 6B 10 41 0C 1A F8 00",
        "0:410C1AF8",  # a piece without its length
        "7E821410C1AF8",  # a continuation of nothing
        "7F010",
        "é\ufffd",
    ],
)
def test_takes_nothing_from_what_is_broken_and_counts_it(text: str) -> None:
    reply = parse_reply("010C", text + PROMPT_TEXT)
    assert reply.messages == ()
    assert reply.garbled == 1
    assert not reply.is_silence


def test_nothing_is_silence() -> None:
    assert parse_reply("010C", "").is_silence
    assert parse_reply("010C", "\r\r").is_silence
    assert parse_reply("010C", "NO DATA\r\r").is_silence


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        ("7E8037F0112", Refusal("7E8", 0x12)),
        ("7F0112", Refusal("", 0x12)),
        (legacy("486B10", "7F0111"), Refusal("10", 0x11)),
    ],
)
def test_a_negative_answer_is_a_refusal(text: str, refusal: Refusal) -> None:
    reply = parse_reply("01A6", text + PROMPT_TEXT)
    assert reply.refusals == (refusal,)
    assert reply.messages == ()
    assert not reply.is_silence


def test_wait_is_no_refusal() -> None:
    reply = parse_reply("0902", "7E8037F0978\r7E8 03 7F 09 78\r" + PROMPT_TEXT)
    assert reply.refusals == ()


def test_one_ecu_refuses_while_another_answers() -> None:
    reply = parse_reply("0105", "7E9037F0112\r7E80341057B" + PROMPT_TEXT)
    assert [m.ecu for m in reply.messages] == ["7E8"]
    assert reply.refusals == (Refusal("7E9", 0x12),)


def test_two_ecus_send_long_messages_at_once() -> None:
    text = "7E81008430301030203\r7E91008430304200421\r7E8210303\r7E9210422"
    assert messages("03", text) == [("7E8", "4303010302030303"), ("7E9", "4303042004210422")]


def test_long_messages_with_headers_off_come_in_numbered_lines() -> None:
    text = "014\r0:490201314334\r1:524A4642473846\r2:43313233343536"
    [(ecu, payload)] = messages("0902", text)
    assert ecu == ""
    assert bytes.fromhex(payload)[3:] == b"1C4RJFBG8FC123456"


def test_numbered_lines_wrap_after_the_sixteenth_and_lose_their_padding() -> None:
    payload = bytes([0x43, 60]) + bytes(range(1, 121))
    pieces = [payload[:6], *(payload[i : i + 7] for i in range(6, len(payload), 7))]
    lines = [
        f"{len(payload):03X}",
        *(f"{n % 16:X}:{p.hex()}{'00' * (7 - len(p) if n else 0)}" for n, p in enumerate(pieces)),
    ]
    assert messages("03", "\r".join(lines)) == [("", payload.hex())]


@pytest.mark.parametrize(
    "text",
    [
        "014\r0:490201314334\r2:43313233343536",  # one line lost
        "014\r0:490201314334",  # the end lost
        "014\r0:490201314334\r0:490201314334\r1:524A4642473846\r1:524A4642473846",  # two ECUs at once
    ],
)
def test_numbered_lines_that_do_not_fit_are_dropped_whole(text: str) -> None:
    reply = parse_reply("0902", text + PROMPT_TEXT)
    assert reply.messages == ()
    assert reply.garbled >= 1


def test_the_checksum_of_a_legacy_line_is_checked() -> None:
    good = bytes.fromhex(legacy("486B10", "410C1AF8"))
    assert is_sealed(good)
    for place in range(len(good)):
        broken = bytearray(good)
        broken[place] ^= 0x04
        assert messages("010C", bytes(broken).hex()) == []


def test_j1850_crc_has_its_published_check_value() -> None:
    # CRC-8/SAE-J1850 of "123456789", as in catalogues of CRC parameters.
    assert j1850_crc(b"123456789") == 0x4B


def test_lines_lose_blanks_and_the_echo() -> None:
    assert text_lines("ATRV", "ATRV\r12.6V\r\n\r") == ["12.6V"]


CRUMBS = (
    "7E8 7E9 10 14 21 22 41 0C 43 49 02 7F \r > : 0 1 18DAF110 486B NODATA SEARCHING < ? BUSINIT ERROR 014"
)
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(st.sampled_from([*CRUMBS.split(" "), " "]), max_size=60).map("".join),
)


def raised(request: Request, answers: list[Message]) -> ReplyError | None:
    """The one error that decoding may raise, if it did."""
    try:
        values = request.decode(answers)
    except ReplyError as error:
        return error
    assert [signal for signal, _ in values] == [field.signal for field in request.fields]
    return None


@given(st.sampled_from(requests()), TEXTS)
@example(requests()[0], "014\r0:\r")
@example(next(request for request in requests() if request.command == "010C"), "7E804410C1AF8\r>")
def test_any_text_parses_and_decodes_or_raises_its_own_error(request_: Request, text: str) -> None:
    reply = parse_reply(request_.command, text)
    assert reply.garbled >= 0
    assert all(m.payload[0] == int(request_.command[:2], 16) + 0x40 for m in reply.messages)
    if reply.messages:
        error = raised(request_, list(reply.messages))
        assert error is None or request_.command.startswith(error.request)


@given(
    st.sampled_from(requests()),
    st.lists(
        st.tuples(st.sampled_from(["", "7E8", "10"]), st.binary(max_size=30), st.sampled_from(Framing)),
        min_size=1,
    ),
)
def test_any_payload_decodes_or_raises_its_own_error(
    request_: Request, raw: list[tuple[str, bytes, Framing]]
) -> None:
    service = bytes([int(request_.command[:2], 16) + 0x40])
    error = raised(request_, [Message(ecu, service + data, framing) for ecu, data, framing in raw])
    assert error is None or request_.command.startswith(error.request)
