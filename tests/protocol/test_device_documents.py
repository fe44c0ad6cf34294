"""Documents beside the stream: what is refused, what is not, and that both readers agree."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from milepost_protocol import documents, limits
from milepost_protocol.desired import DAY_MS, read_desired
from milepost_protocol.device_documents import Birth, Farewell, Refusal, Reported
from milepost_protocol.device_schema import WireDesired, check_desired, read_reported, read_state
from milepost_protocol.documents import digest
from milepost_protocol.errors import DocumentError, LimitError
from milepost_protocol.signals import catalogue

GRANTED_MS = 1_795_000_000_000
WHOLE: dict[str, Any] = {
    "version": 1,
    "revision": 7,
    "settings": {"buffer": {"commit_interval_s": 10}, "log": {"level": "debug"}, "x": {"y": True}},
    "profile": {
        "name": "winter-battery",
        "rules": {"Vehicle.LowVoltageBattery.CurrentVoltage": {"deadband": 0.05, "interval_s_min": 10}},
        "consent": {"owner": "owner-42", "granted_ms": GRANTED_MS, "expires_ms": GRANTED_MS + 30 * DAY_MS},
    },
}
MISSING = object()


def changed(path: str, value: object) -> bytes:
    """``WHOLE`` with one thing in it changed, added or taken out."""
    document = copy.deepcopy(WHOLE)
    *way, last = path.split("/")
    node = document
    for part in way:
        node = node[part]
    if value is MISSING:
        del node[last]
    else:
        node[last] = value
    return json.dumps(document).encode()


def birth(**changes: Any) -> Birth:
    fields: dict[str, Any] = {
        "device": "gw-1",
        "run": "0" * 16,
        "connection": 1,
        "agent": "0.1.0",
        "vss": "6.0",
        "epoch": "9f3a1c77e0b24d51",
        "catalogue": catalogue().digest,
        "signals": ("Vehicle.TraveledDistance",),
        "sources": ("elm327",),
        "clock": "synced",
        "at_ms": GRANTED_MS,
        "started_ms": GRANTED_MS - 5,
        "boot": "3f2a9c1e-0000-4000-8000-000000000000",
        "revision": None,
    }
    return Birth(**(fields | changes))


def test_a_desired_configuration_is_read_by_both_sides() -> None:
    told = read_desired(json.dumps(WHOLE).encode())
    assert told.settings["buffer"] == {"commit_interval_s": 10}
    assert told.profile is not None
    assert told.profile.consent.owner == "owner-42"
    assert check_desired(json.dumps(WHOLE).encode()).model_dump(exclude_unset=True) == WHOLE


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 10_000, "no JSON"),
        (b'{"version":1,"revision":' + b"9" * 5000 + b"}", "no JSON"),
        (b"[]", "must be an object"),
        (b" " * (limits.DOCUMENT_BYTES_MAX + 1), "at most 16384"),
        (changed("version", 2), "newer agent"),
        (changed("version", True), "version"),
        (changed("revision", 0), "revision"),
        (changed("revision", 7.0), "revision"),
        (changed("revision", MISSING), "revision is missing"),
        (changed("setings", {}), "has no 'setings'"),
        (changed("settings/buffer", 3), "settings.buffer"),
        (changed("settings/a.b", {}), "no name"),
        (changed("settings/log/level", "a\nb"), "settings.log.level"),
        (changed("settings/log/level", ["debug"]), "settings.log.level"),
        (changed("settings/log/level", float("nan")), "no number of JSON"),
        (changed("settings/log/level", 1e300), "settings.log.level"),
        (changed("profile/name", "Ada Lovelace"), "profile.name"),
        (changed("profile/consent", MISSING), "consent is missing"),
        (changed("profile/consent", None), "profile.consent: must be an object"),
        (changed("profile/consent/owner", "ada@example"), "profile.consent.owner"),
        (changed("profile/consent/expires_ms", GRANTED_MS), "end after it begins"),
        (changed("profile/consent/expires_ms", GRANTED_MS + 367 * DAY_MS), "at most 366 days"),
        (changed("profile/consent/granted_ms", -1), "granted_ms"),
        (changed("profile/rules", {}), "name no signal"),
        (changed("profile/rules/Vehicle.Speed", {"interval_min": 1}), "has no 'interval_min'"),
        (changed("profile/rules/Vehicle.Speed", {"every": 1}), "every"),
        (changed("profile/rules/Vehicle.Speed", {"deadband": -1}), "deadband"),
        (changed("profile/rules/Vehicle.Speed", {"deadband": True}), "deadband"),
    ],
)
def test_a_desired_configuration_with_a_mistake_is_refused_by_both_sides(payload: bytes, why: str) -> None:
    with pytest.raises(DocumentError) as caught:
        read_desired(payload)
    assert why in str(caught.value)
    with pytest.raises(ValidationError):
        WireDesired.model_validate_json(payload[: limits.DOCUMENT_BYTES_MAX])


def test_a_refusal_says_the_revision_where_it_can_be_read() -> None:
    with pytest.raises(DocumentError) as caught:
        read_desired(changed("profile/consent", MISSING))
    assert caught.value.revision == 7
    with pytest.raises(DocumentError) as caught:
        read_desired(changed("revision", "seven"))
    assert caught.value.revision is None


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.sampled_from(["debug", ""])
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=2),
)
PLACES = st.sampled_from(
    [
        "version",
        "revision",
        "settings",
        "settings/buffer",
        "settings/buffer/commit_interval_s",
        "settings/x/z",
        "profile",
        "profile/name",
        "profile/rules",
        "profile/rules/Vehicle.Speed",
        "profile/rules/Vehicle.LowVoltageBattery.CurrentVoltage/every",
        "profile/rules/Vehicle.LowVoltageBattery.CurrentVoltage/interval_s_max",
        "profile/consent",
        "profile/consent/owner",
        "profile/consent/granted_ms",
        "profile/consent/expires_ms",
        "other",
    ]
)


@given(PLACES, JUNK)
def test_the_device_and_the_schema_agree_on_anything(place: str, junk: object) -> None:
    payload = changed(place, junk)
    try:
        read_desired(payload)
    except DocumentError:
        with pytest.raises(ValidationError):
            WireDesired.model_validate_json(payload)
    else:
        WireDesired.model_validate_json(payload)
        jsonschema.validate(json.loads(payload), documents.device_schemas()["config"])


def test_what_a_device_says_of_itself_is_what_the_schema_allows() -> None:
    schemas = documents.device_schemas()
    everything = birth(signals=tuple(catalogue().signals), sources=("elm327",) * 16, revision=2**31 - 1)
    farewell = Farewell("gw-1", "0" * 16, 3)
    for document in (birth(), everything, birth(epoch=""), farewell):
        jsonschema.validate(json.loads(document.payload()), schemas["state"])
        read = read_state(document.payload())
        assert read.online is isinstance(document, Birth)
        assert read.connection == document.connection
    reported = Reported(
        "gw-1", None, {"log": {"level": "info"}}, None, Refusal(None, "é\n" * 600), ("log.level",)
    )
    jsonschema.validate(json.loads(reported.payload()), schemas["reported"])
    error = read_reported(reported.payload()).refused
    assert error is not None
    assert error.error.isascii()
    assert error.error.isprintable()


def test_a_document_that_is_too_long_is_never_sent() -> None:
    with pytest.raises(LimitError, match="at most 16384"):
        birth(signals=("Vehicle.Milepost." + "X" * 100,) * 512).payload()


@pytest.mark.parametrize("read", [read_state, read_reported])
@pytest.mark.parametrize(
    "payload",
    [b"", b"{}", b"[" * 9000, b"\xff\x00", b'"' + b"x" * limits.DOCUMENT_BYTES_MAX + b'"', b'{"online":1}'],
)
def test_a_server_refuses_what_is_no_document(read: Any, payload: bytes) -> None:
    with pytest.raises(DocumentError):
        read(payload)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_document_or_refused(payload: bytes) -> None:
    for read in (read_desired, read_state, read_reported):
        with pytest.raises(DocumentError):
            read(payload)


def test_unknown_fields_of_what_a_device_says_are_passed_over() -> None:
    later = json.loads(birth().payload()) | {"mood": "good"}
    assert read_state(json.dumps(later).encode()) == read_state(birth().payload())


def test_the_digest_changes_with_the_catalogue() -> None:
    known = catalogue()
    less = type(known)(known.vss, dict(list(known.signals.items())[1:]))
    assert digest(known) != digest(less)


def test_the_catalogue_names_itself_by_its_digest() -> None:
    known = catalogue()
    assert known.digest == digest(known), f'set digest = "{digest(known)}" in catalogue.toml'
