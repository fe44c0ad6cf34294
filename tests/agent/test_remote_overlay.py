"""A desired configuration over the local one: what may be set, and what is refused. And how it is kept."""

from __future__ import annotations

import asyncio
import errno
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from milepost_agent.buffer.files import POSIX
from milepost_agent.config import parse
from milepost_agent.config_text import as_toml
from milepost_agent.consent import consent_of
from milepost_agent.errors import ConfigError
from milepost_agent.remote.kept import FILE_BYTES_MAX, SET_ASIDE_MAX, Kept
from milepost_agent.remote.overlay import check_consent, effective, laid_over, settable
from milepost_agent.remote.remote import KEEP_RETRY_S, Around, InForce, Remote, take_up
from milepost_agent.settings import settings
from milepost_agent.uplink.link import Granted, Message
from milepost_protocol.desired import Consent, Desired, read_desired
from milepost_protocol.device_schema import read_state
from milepost_protocol.samples import TimeTrust
from support.device_spy import desired
from support.stores import CLOCK, DAY_MS, Entropy
from support.virtual_time import in_virtual_time

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOCAL = parse(
    {
        "device": {"id": "gw-000017"},
        "uplink": {"host": "broker.example", "batch_wait_s": 5.0},
        "profile": {"Vehicle.Speed": {"every": True}},
        "consent": {"owner": "owner-1", "granted_at": "2026-03-01", "expires_at": "2026-04-01"},
    }
)
CONSENT = {"owner": "owner-42", "granted_ms": CLOCK.wall_ms - 5, "expires_ms": CLOCK.wall_ms + DAY_MS}
COOLANT = "Vehicle.Powertrain.CombustionEngine.EngineCoolant.Temperature"


def told(*arguments: Any, **more: Any) -> Desired:
    return read_desired(json.dumps(desired(*arguments, **more)).encode())


def with_rules(rules: dict[str, Any], **consent: Any) -> Desired:
    return told(2, {}, profile={"name": "heat", "rules": rules, "consent": CONSENT | consent})


def test_what_is_desired_goes_over_the_file_and_leaves_the_rest() -> None:
    wanted = told(1, {"buffer": {"commit_interval_s": 10}, "log": {"level": "debug"}})
    config = laid_over(LOCAL, wanted)
    assert config.buffer == replace(LOCAL.buffer, commit_interval_s=10.0)
    assert config.log.level == "debug"
    assert config.uplink == LOCAL.uplink
    assert config.profile == LOCAL.profile, "the file's own, with its own consent"
    assert effective(config, wanted) == {"buffer": {"commit_interval_s": 10.0}, "log": {"level": "debug"}}


def test_a_profile_takes_the_place_of_the_files_own() -> None:
    config = laid_over(LOCAL, with_rules({COOLANT: {"interval_s_min": 10}}))
    assert list(config.profile) == [COOLANT]
    assert config.consent.profile == "heat"
    assert consent_of(config.consent) == Consent(**CONSENT)
    assert 'owner = "owner-42"' in as_toml(config)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (
            told(1, {"uplink": {"host": "elsewhere.example"}}),
            "uplink.host: cannot be set from afar; there are",
        ),
        (told(1, {"device": {"secret_file": "/tmp/x"}}), "device.secret_file: cannot be set from afar"),
        (told(1, {"buffer": {"path": "/tmp/x"}}), "buffer.path: cannot be set from afar"),
        (told(1, {"consent": {"owner": "me"}}), "consent.owner: cannot be set from afar"),
        (told(1, {"buffer": {"comit_interval_s": 1}}), "buffer.comit_interval_s: is no setting"),
        (told(1, {"buffers": {}}), "buffers: is no section"),
        (told(1, {"buffer": {"commit_interval_s": 0}}), "it must be from 0.05 to 3,600 s"),
        (told(1, {"buffer": {"commit_interval_s": "10"}}), "it must be a number"),
        (told(1, {"log": {"level": "loud"}}), "log.level: is 'loud'"),
        (with_rules({"Vehicle.CurrentLocation.Latitude": {}}), "is no signal of the catalogue"),
        (with_rules({"Vehicle.VehicleIdentification.VIN": {}}), "numbers and switches only"),
        (with_rules({"Inner.Dtc.Confirmed": {}}), "is no signal of the catalogue"),
    ],
)
def test_what_may_not_be_is_refused_and_named(wanted: Desired, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        laid_over(LOCAL, wanted)
    assert why in str(caught.value)


def test_nothing_may_be_set_that_could_not_be_taken_back() -> None:
    keys = set(settable())
    assert {"buffer.commit_interval_s", "uplink.batch_wait_s", "log.level"} <= keys
    names = {word for key in keys for word in key.partition(".")[2].split("_")}
    assert not names & {"host", "port", "tls", "path", "socket", "id", "secret", "file", "command", "vin"}
    assert not {key for key in keys if key.split(".")[0] in ("device", "vehicle", "consent", "health")}
    assert keys == {setting.key for setting in settings() if setting.is_remote}


def test_a_new_profile_whose_consent_is_over_is_refused_where_the_time_is_known() -> None:
    over = with_rules({COOLANT: {}}, granted_ms=CLOCK.wall_ms - DAY_MS, expires_ms=CLOCK.wall_ms)
    with pytest.raises(ConfigError, match="ask the owner again"):
        check_consent(over, CLOCK.read())
    check_consent(over, replace(CLOCK, trust=TimeTrust.UNTRUSTED).read())
    check_consent(with_rules({COOLANT: {}}), CLOCK.read())
    check_consent(told(1), CLOCK.read())


class Said:
    """A link on which nothing is heard; what was published is kept."""

    granted = Granted()

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes, bool]] = []

    async def publish(self, topic: str, payload: bytes, *, is_retained: bool = False, qos: int = 1) -> None:
        assert qos == 1
        self.published.append((topic, payload, is_retained))

    async def messages(self) -> AsyncIterator[Message]:
        return
        yield  # a generator


@pytest.mark.parametrize(
    ("is_resting", "is_new", "reason"),
    [
        (False, False, "stop"),
        (True, False, "sleep"),
        (False, True, "reconfigure"),
        (True, True, "reconfigure"),
    ],
)
async def test_the_farewell_says_why(is_resting: bool, is_new: bool, reason: str) -> None:
    async def keep(payload: bytes) -> None:
        raise AssertionError("nothing was told")

    around = Around(CLOCK.read, Entropy(), lambda: "", lambda: [], lambda: is_resting, keep)
    remote = Remote(InForce(LOCAL, LOCAL), around)
    channels, link = remote.channels(), Said()
    assert channels.will is not None
    will = read_state(channels.will(3).payload)
    if is_new:
        remote.reconfigure.set()
    await channels.take_leave(link)
    ((topic, payload, is_retained),) = link.published
    farewell = read_state(payload)
    assert (topic, is_retained) == ("milepost/v1/gw-000017/state", True)
    assert (farewell.run, farewell.connection) == (will.run, will.connection)
    assert (farewell.reason, will.reason) == (reason, "lost")


def test_what_the_disk_refuses_is_given_to_it_again() -> None:
    kept_at_s: list[float] = []

    async def keep(payload: bytes) -> None:
        kept_at_s.append(asyncio.get_running_loop().time())
        if len(kept_at_s) < 3:
            raise OSError(errno.ENOSPC, "No space left on device")

    async def story() -> None:
        begun_s = asyncio.get_running_loop().time()
        clock = CLOCK.read()._replace(mono_s=begun_s)
        remote = Remote(InForce(LOCAL, LOCAL), Around(lambda: clock, Entropy(), str, list, bool, keep))
        (take,) = remote.channels().handlers.values()
        working = asyncio.ensure_future(remote.run())
        await take(Message("config", json.dumps(desired(7)).encode(), True))
        await asyncio.sleep(KEEP_RETRY_S / 2)
        assert remote.refused is not None
        assert "No space left" in remote.refused.error
        assert not remote.reconfigure.is_set()
        await working
        assert remote.reconfigure.is_set()
        assert [b - a for a, b in pairwise(kept_at_s)] == pytest.approx([KEEP_RETRY_S] * 2, abs=2.0)

    in_virtual_time(story())


def kept(folder: Path) -> tuple[Kept, Path]:
    return Kept(POSIX, folder / "buffer.db"), folder / "buffer.db.desired"


def test_what_was_kept_is_in_force_at_the_next_start(tmp_path: Path) -> None:
    store, file = kept(tmp_path / "made")
    assert take_up(store, LOCAL) == (LOCAL, LOCAL, None, "")
    store.save(json.dumps(desired(7, {"log": {"level": "debug"}}), indent=2).replace("\n", "\r\n").encode())
    in_force = take_up(store, LOCAL)
    assert in_force.desired == told(7, {"log": {"level": "debug"}})
    assert in_force.config.log.level == "debug"
    assert in_force.local is LOCAL
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "bytes", "endless", "later", "strange"])
def test_a_damaged_document_is_set_aside_and_said(tmp_path: Path, damage: str) -> None:
    store, file = kept(tmp_path)
    store.save(json.dumps(desired(7, {"buffer": {"commit_interval_s": 10}})).encode())
    good = file.read_bytes()
    bad = {
        "flipped": good.replace(b"10}", b"90}"),
        "cut": good[:-5],
        "empty": b"",
        "bytes": b"\xff\xfe" + good,
        "endless": good + b" " * FILE_BYTES_MAX,
        "later": good,
        "strange": good,
    }[damage]
    file.write_bytes(bad)
    if damage == "later":
        store.save(json.dumps(desired(8) | {"version": 2}).encode())
    if damage == "strange":
        store.save(json.dumps(desired(8, {"engine": {"tune": 1}})).encode())
    in_force = take_up(store, LOCAL)
    assert in_force.config == LOCAL
    assert "set aside as buffer.db.desired.corrupt-1" in in_force.trouble
    assert (f"it has {len(bad)} bytes" in in_force.trouble) is (damage == "endless")
    assert store.set_aside_count() == 1
    assert take_up(store, LOCAL).trouble == "", "once is enough: no crash loop"


def test_set_aside_documents_do_not_fill_the_disk(tmp_path: Path) -> None:
    store, file = kept(tmp_path)
    for number in range(SET_ASIDE_MAX + 3):
        file.write_text(f"{number}")
        take_up(store, LOCAL)
    assert store.set_aside_count() == SET_ASIDE_MAX
    assert (tmp_path / f"buffer.db.desired.corrupt-{SET_ASIDE_MAX}").read_text() == f"{SET_ASIDE_MAX + 2}"


def test_a_document_that_cannot_be_read_stays(tmp_path: Path) -> None:
    store, file = kept(tmp_path)
    file.mkdir()
    in_force = take_up(store, LOCAL)
    assert in_force.config == LOCAL
    assert "cannot be read" in in_force.trouble
    assert file.is_dir()
