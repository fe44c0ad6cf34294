"""What trouble codes are about, how soon to act, and what they are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from milepost_server.signals.errors import DataFileError
from milepost_server.signals.faults.codes import CODES, encode
from milepost_server.signals.faults.events import FaultDetail, parse_detail
from milepost_server.signals.faults.fleet import (
    CLEARED,
    CONFIRMED,
    PENDING,
    PERMANENT,
    FaultEvents,
    FaultRules,
    FleetFaults,
    fleet_faults,
)
from milepost_server.signals.faults.systems import parse_systems, shipped_systems
from milepost_server.signals.faults.texts import (
    FaultTexts,
    maker_key,
    parse_texts,
    read_texts,
    shipped_titles,
)
from milepost_server.signals.faults.urgency import (
    NO_BITS,
    NO_FAULT,
    Lamp,
    Urgencies,
    Why,
    reason_words,
    status_of_bits,
    urgencies,
)

RULES = FaultRules()
HEADER = "code,manufacturer,description,generic"


def judge(
    *statuses: int, code: str = "P0301", lamp: Lamp = Lamp.UNKNOWN, bits: int = NO_BITS
) -> tuple[int, Why]:
    """The urgency of one code after its statuses, and what moved it."""
    found = judge_all([(code, status) for status in statuses], lamp, bits)
    return int(found.level[0]), Why(int(found.why[0]))


def judge_all(rows: list[tuple[str, int]], lamp: Lamp = Lamp.UNKNOWN, bits: int = NO_BITS) -> Urgencies:
    faults = fleet_faults(
        FaultEvents(
            offsets=np.array([0, len(rows)], dtype=np.int64),
            code=encode([code for code, _ in rows]),
            status=np.array([status for _, status in rows], dtype=np.int64),
            time_d=np.arange(len(rows), dtype=np.float64),
            odometer_m=np.full(len(rows), np.nan),
        ),
        RULES,
    )
    bits_of = np.full(len(faults.code), bits, dtype=np.int64)
    return urgencies(faults, shipped_systems(), np.array([lamp], dtype=np.int64), bits_of, RULES)


@pytest.mark.parametrize(
    ("code", "part", "words", "urgency"),
    [
        ("P0301", "powertrain", "ignition and misfire", 1),
        ("P0171", "powertrain", "fuel and air", 2),
        ("P0420", "powertrain", "catalyst", 2),
        ("P0442", "powertrain", "fuel vapour (EVAP)", 3),
        ("P0524", "powertrain", "engine oil", 0),
        ("P0217", "powertrain", "engine cooling", 0),
        ("P0741", "powertrain", "transmission", 1),
        ("P0AA6", "powertrain", "high voltage safety", 0),
        ("P0A80", "powertrain", "traction battery", 1),
        ("P1234", "powertrain", "engine and drive, the maker's own code", 2),
        ("C0035", "chassis", "ABS and stability control", 1),
        ("C0021", "chassis", "brakes", 0),
        ("C055D", "chassis", "brakes", 0),
        ("C0620", "chassis", "steering", 0),
        ("B0020", "body", "airbags", 0),
        ("B3FFF", "body", "body and comfort", 3),
        ("U0100", "network", "network between control units", 1),
    ],
)
def test_a_code_tells_its_system_and_how_soon_to_act(code: str, part: str, words: str, urgency: int) -> None:
    table = shipped_systems()
    number = int(encode([code])[0])
    assert (table.of(number).part, table.of(number).words) == (part, words)
    assert table.urgency[number] == urgency


def test_every_code_has_a_system_of_its_own_part() -> None:
    table = shipped_systems()
    parts = {system.part for system in table.systems}
    assert parts == {"powertrain", "chassis", "body", "network"}
    letter = np.arange(CODES) >> 14
    part = np.array([system.part for system in table.systems])[table.system]
    assert set(part[letter == 0]) <= {"powertrain", "chassis"}  # brakes and steering have P codes, too
    assert set(part[letter == 1]) == {"chassis"}
    assert set(part[letter == 2]) == {"body"}


def test_what_was_seen_once_is_less_urgent_than_what_is_confirmed() -> None:
    assert judge(CONFIRMED) == (1, Why(0))
    assert judge(PENDING) == (2, Why.PENDING)
    assert judge(PERMANENT) == (1, Why.PERMANENT)
    assert judge(PENDING, code="P0524") == (1, Why.PENDING)
    assert judge(PENDING, code="P0442") == (3, Why.PENDING)


def test_no_code_is_more_urgent_for_being_pending_and_none_but_p0_becomes_a_reason_to_stop() -> None:
    def levels(status: int, returns: int, lamp: Lamp) -> np.ndarray:
        code = np.arange(CODES, dtype=np.int64)
        no_row, nan = np.full(CODES, -1), np.full(CODES, np.nan)
        columns = (no_row, no_row, nan, nan, nan, np.full(CODES, returns), nan, nan)
        faults = FleetFaults(np.array([0, CODES]), code, np.full(CODES, status), *columns)
        lamps, bits = np.array([int(lamp)]), np.full(CODES, NO_BITS)
        return urgencies(faults, shipped_systems(), lamps, bits, RULES).level

    base = shipped_systems().urgency
    for lamp in (Lamp.UNKNOWN, Lamp.OFF, Lamp.ON):
        confirmed, pending = levels(CONFIRMED, 0, lamp), levels(PENDING, 0, lamp)
        back = levels(CONFIRMED, 3, lamp)
        assert (confirmed <= pending).all()
        assert (back <= confirmed).all()
        assert ((back == 0) == (base == 0)).all()
        assert set(np.unique(pending)) <= {1, 2, 3}


def test_what_is_cleared_is_for_the_record_only() -> None:
    assert judge(CONFIRMED, CLEARED, code="P0524") == (3, Why.CLEARED)


def test_what_came_back_is_more_urgent_but_never_a_reason_to_stop() -> None:
    back = (CONFIRMED, CLEARED, CONFIRMED, CLEARED)
    assert judge(*back[:-1], code="P0420") == (1, Why.RECURRING)
    assert judge(*back[:-1], code="P0301") == (1, Why.RECURRING)
    assert judge(*back[:-1], code="P0524") == (0, Why.RECURRING)
    assert judge(*back, code="P0420") == (3, Why.CLEARED)


def test_a_lamp_makes_a_note_worth_a_visit_and_a_flashing_one_stops_the_car() -> None:
    assert judge(CONFIRMED, code="P0442", lamp=Lamp.ON) == (2, Why.LAMP_ON)
    assert judge(CONFIRMED, code="P0442", lamp=Lamp.OFF) == (3, Why(0))
    assert judge(PENDING, code="P0442", lamp=Lamp.ON) == (3, Why.PENDING)
    assert judge(CONFIRMED, code="B3FFF", lamp=Lamp.ON) == (3, Why(0))
    assert judge(CONFIRMED, lamp=Lamp.FLASHING) == (0, Why.FLASHING | Why.LAMP_ON)
    assert judge(CONFIRMED, code="P0420", lamp=Lamp.FLASHING) == (2, Why.LAMP_ON)


def test_status_bits_say_which_code_the_lamp_is_for_and_whether_it_fails_now() -> None:
    assert judge(CONFIRMED, code="P0442", bits=0x89) == (2, Why.LAMP_ON | Why.FAILING_NOW)
    assert judge(CONFIRMED, code="P0442", bits=0x08, lamp=Lamp.ON) == (3, Why.NOT_FAILING_NOW)
    assert judge(CONFIRMED, code="P0442", bits=0x48) == (3, Why(0))


def test_status_bits_amount_to_a_status() -> None:
    bits = np.array([0x2F, 0x08, 0x04, 0x24, 0x50, 0x00], dtype=np.int64)
    assert status_of_bits(bits).tolist() == [CONFIRMED, CONFIRMED, PENDING, PENDING, CLEARED, CLEARED]


def test_the_worst_active_fault_is_that_of_the_car() -> None:
    assert judge_all([("P0420", CONFIRMED), ("P0301", PENDING), ("P0524", CLEARED)]).worst.tolist() == [2]
    assert judge_all([("P0524", CLEARED)]).worst.tolist() == [NO_FAULT]
    assert judge_all([]).worst.tolist() == [NO_FAULT]


def test_the_reason_is_said_in_words() -> None:
    code = int(encode(["P0301"])[0])
    words = reason_words(code, int(Why.RECURRING | Why.LAMP_ON), shipped_systems())
    assert words == (
        "unburnt fuel reaches the catalyst and can destroy it; "
        "it came back after it was cleared; a warning lamp is on"
    )


def test_a_detail_tells_unit_status_byte_and_counters() -> None:
    assert parse_detail("P0301-13 unit engine status 2F occurrences 3 ageing 0") == FaultDetail(
        "P0301", "13", "engine", 0x2F, {"occurrences": 3, "ageing": 0}
    )
    assert parse_detail("C0035 unit abs status 08") == FaultDetail("C0035", "", "abs", 0x08, {})


@pytest.mark.parametrize(
    "text", ["", "P0301", "P0301 unit engine", "P0301 unit x status 2G", "P0301 confirmed"]
)
def test_what_is_no_detail_is_none(text: str) -> None:
    assert parse_detail(text) is None


def test_titles_are_short_and_of_codes_that_exist() -> None:
    titles = shipped_titles()
    assert len(titles) >= 150
    assert (encode(list(titles)) >= 0).all()
    assert all(5 <= len(title) <= 70 for title in titles.values())
    assert len(set(titles.values())) == len(titles)


def test_a_makers_own_text_goes_before_a_generic_one_and_that_before_ours() -> None:
    texts = parse_texts(
        [
            HEADER,
            "P0301,GENERIC,Misfire one,1",
            'P0301,MERCEDES,"Misfire, of Stuttgart",0',
            "P1000,BMW,Own,0",
        ],
        "dtc.csv",
    )
    assert texts.title("P0301", "Mercedes-Benz") == "Misfire, of Stuttgart"
    assert texts.title("P0301", "Audi") == "Misfire one"
    assert texts.title("P0302", "Audi") == "Engine misfires, cylinder 2"
    assert texts.title("P1000", "Audi") == "Engine and drive, the maker's own code: fault P1000"
    assert texts.title("P1000", "BMW") == "Own"
    assert maker_key("VW") == maker_key("Volkswagen")
    with pytest.raises(ValueError, match="no trouble code"):
        FaultTexts().title("nonsense", "BMW")


@pytest.mark.parametrize(
    ("lines", "place", "why"),
    [
        ([], "line 1", "header"),
        (["code,text", "P0301,x"], "line 1", "header"),
        ([HEADER, "P0301,GENERIC,x"], "line 2", "3 fields"),
        ([HEADER, "P0301,GENERIC,ok,1", "", "0301,GENERIC,x,1"], "line 4", "no trouble code"),
        ([HEADER, "P0301,GENERIC,x,yes"], "line 2", "generic must be 0 or 1"),
        ([HEADER, "P0301,GENERIC, ,1"], "line 2", "1 to 1000 characters"),
        ([HEADER, "P0301,,x,0"], "line 2", "needs a manufacturer"),
        ([HEADER, 'P0301,GENERIC,"open,1'], "line 2", "is no CSV"),
    ],
)
def test_a_bad_file_of_texts_says_which_line(lines: list[str], place: str, why: str) -> None:
    with pytest.raises(DataFileError, match=why) as caught:
        parse_texts(lines, "dtc.csv")
    assert caught.value.place == place


def test_texts_that_are_no_utf_8_say_which_line() -> None:
    good = f"\ufeff{HEADER}\nP0301,GENERIC,Z\u00fcndung,1\n".encode()
    assert read_texts(good, "dtc.csv").title("P0301", "") == "Z\u00fcndung"
    with pytest.raises(DataFileError, match="line 2: is no UTF-8"):
        read_texts(good.replace("\u00fc".encode(), b"\xfc"), "dtc.csv")


SYSTEM = """schema = 1
[[system]]
key = "engine"
part = "powertrain"
words = "the engine"
urgency = "P2"
reason = "because"
"""


@pytest.mark.parametrize(
    ("ranges", "why"),
    [
        ('[[range]]\ncodes = ["P0000", "U3FFF"]\nsystem = "wings"', "no system 'wings'"),
        ('[[range]]\ncodes = ["P0100", "P0000"]\nsystem = "engine"', "is no range of codes"),
        ('[[range]]\ncodes = ["P0000", "P3FFF"]\nsystem = "engine"', "some codes are in no range"),
        ('[[range]]\ncodes = ["P0000", "U3FFF"]\nsystem = "engine"\nurgency = "P7"', "P0"),
        ("[[range]", "is no TOML"),
    ],
)
def test_a_bad_table_of_systems_says_where(ranges: str, why: str) -> None:
    with pytest.raises(DataFileError, match=why):
        parse_systems(SYSTEM + ranges, "systems.toml")


@pytest.mark.data
def test_the_public_file_of_texts_reads_whole(data: Path) -> None:
    texts = read_texts((data / "dtc" / "dtc.csv").read_bytes(), "dtc.csv")
    assert len(texts.by_maker) == 18_805
    assert texts.title("P0301", "Skoda").startswith("Cylinder 1 Misfire")
    assert texts.title("P1121", "Ford") != texts.title("P1121", "Toyota")


@pytest.mark.data
def test_our_titles_are_not_those_of_the_public_file(data: Path) -> None:
    texts = read_texts((data / "dtc" / "dtc.csv").read_bytes(), "dtc.csv")
    theirs = {code: text.casefold() for (maker, code), text in texts.by_maker.items() if not maker}
    same = [code for code, title in shipped_titles().items() if theirs.get(code) == title.casefold()]
    assert same == []
