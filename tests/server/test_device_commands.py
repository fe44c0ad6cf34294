"""``device configure`` and ``device show``, and the same facts from the API."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from milepost_server.cli import main
from milepost_server.commands.device_config import lines
from milepost_server.ingest.arrivals import Arrival
from milepost_server.ingest.keeper import Keeper
from milepost_server.store import device_configs, device_facts
from milepost_server.store.engine import open_store
from support.ports import free_port
from support.said import birth, reported

if TYPE_CHECKING:
    import httpx

    from milepost_protocol.device_documents import Birth, Reported
    from support.sites import Site

DEVICE = "gw-000017"
GOOD = """
[settings.buffer]
commit_interval_s = 10
[profile]
name = "winter-battery"
[profile.rules."Vehicle.LowVoltageBattery.CurrentVoltage"]
interval_s_min = 10
[profile.consent]
owner = "owner-42"
granted_at = 2026-11-01
expires_at = 2027-03-01T12:00:00+01:00
"""


class Installation:
    """A data directory with one device, no server on it, and the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "data"
        self._file = folder / "desired.toml"
        ports = ("--set", f"broker_port={free_port()}")
        self.run("init", "--dealer", "Nord Motors", "--email", "ada@nord.example", *ports)
        self.run("device", "add", DEVICE)

    def run(self, *arguments: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, [*arguments, "--data-dir", str(self.folder)])
        assert result.exit_code == code, result.output
        return result.output

    def configure(self, text: str, *, code: int = 0, suffix: str = ".toml") -> str:
        """``device configure`` with this file."""
        file = self._file.with_suffix(suffix)
        file.write_text(text)
        return self.run("device", "configure", DEVICE, "--file", str(file), code=code)

    def show(self) -> str:
        """``device show``."""
        return self.run("device", "show", DEVICE)

    def heard(self, *said: Birth | Reported) -> None:
        """What the server does when the device says this."""
        asyncio.run(self._heard(*said))

    async def _heard(self, *said: Birth | Reported) -> None:
        async def nowhere(device_id: str, document: bytes) -> bool:
            return False

        store = open_store(f"sqlite:///{self.folder / 'milepost.db'}")
        now = dt.datetime.now(dt.UTC)
        channels = {"Birth": "state", "Reported": "reported"}
        arrivals = [
            Arrival(f"milepost/v1/{DEVICE}/{channels[type(one).__name__]}", one.payload(), now)
            for one in said
        ]
        await Keeper(store, nowhere, lambda fate: None).take(arrivals)
        await store.close()

    def desired(self) -> dict[str, object]:
        """The newest document."""
        return asyncio.run(self._desired())

    async def _desired(self) -> dict[str, object]:
        store = open_store(f"sqlite:///{self.folder / 'milepost.db'}")
        async with store.read() as connection:
            row = await device_configs.newest(connection, 1, DEVICE)
        await store.close()
        assert row is not None
        document: dict[str, object] = json.loads(row.document)
        return document


@pytest.fixture
def installed(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def test_what_is_desired_is_kept_with_its_revision_though_no_broker_runs(installed: Installation) -> None:
    said = installed.configure(GOOD)
    assert f"revision 1 for {DEVICE} is kept" in said
    assert "when it connects next" in said
    assert installed.desired() == {
        "version": 1,
        "revision": 1,
        "settings": {"buffer": {"commit_interval_s": 10}},
        "profile": {
            "name": "winter-battery",
            "rules": {"Vehicle.LowVoltageBattery.CurrentVoltage": {"interval_s_min": 10}},
            "consent": {
                "owner": "owner-42",
                "granted_ms": 1_793_491_200_000,
                "expires_ms": 1_803_898_800_000,
            },
        },
    }
    assert "its own file is in force; revision 1 is desired" in installed.show()
    assert "IT LAGS BEHIND" in installed.show()
    assert "revision 2" in installed.configure('{"settings": {"log": {"level": "debug"}}}', suffix=".json")
    installed.heard(birth(revision=2, device=DEVICE))
    shown = installed.show()
    assert "revision 2 is in force; revision 2 is desired" in shown
    assert "LAGS" not in shown
    assert "agent     0.1.0" in shown


@pytest.mark.parametrize(
    ("text", "suffix", "why"),
    [
        ("settings = [", ".toml", "cannot be read"),
        ("[]", ".json", "holds no table"),
        ("x = 1\n" * 20_000, ".toml", "longer than 65536 bytes"),
        ("revision = 7", ".toml", "leave revision out"),
        ("[setings.buffer]", ".toml", "has no 'setings'"),
        ("[settings.buffer]\ncommit_interval_s = nan", ".toml", "Out of range"),
        ("[settings.buffer]\ncommit_interval_s = [10]", ".toml", "must be true, false, a number or"),
        (GOOD.replace("[profile.consent]", "[profile.konsent]"), ".toml", "consent is missing"),
        (GOOD.replace("2027-03-01T12:00:00+01:00", "2028-03-01"), ".toml", "at most 366 days"),
        (GOOD.replace("2026-11-01", '"soon"'), ".toml", "consent.granted_at: 'soon' is no date"),
        (GOOD.replace("owner-42", "Ada Lovelace"), ".toml", "profile.consent.owner"),
        (
            "[settings.log]\n" + "".join(f'a{n} = "{"x" * 250}"\n' for n in range(100)),
            ".toml",
            "at most 16384",
        ),
    ],
)
def test_what_no_device_may_be_told_is_refused(
    installed: Installation, text: str, suffix: str, why: str
) -> None:
    assert why in installed.configure(text, code=1, suffix=suffix)
    assert "nothing is desired" in installed.show()


def test_what_the_device_itself_does_not_let_be_set_is_refused(installed: Installation) -> None:
    elsewhere = '[settings.uplink]\nhost = "elsewhere.example"\n'
    installed.configure(elsewhere)
    installed.heard(reported(device=DEVICE))
    assert "uplink.host cannot be set on this device; it lets be set: log.level" in installed.configure(
        elsewhere, code=1
    )
    assert installed.desired()["revision"] == 1
    installed.configure('[settings.log]\nlevel = "debug"\n')
    assert installed.desired()["revision"] == 2


def test_a_device_that_is_not_there_is_named(installed: Installation) -> None:
    assert "there is no device 'gw-9'" in installed.run("device", "show", "gw-9", code=1)
    assert "has said nothing yet" in installed.show()


async def test_the_api_tells_the_same(site: Site, page: httpx.AsyncClient) -> None:
    device = "car-0001-0"
    answer = (await page.get(f"/api/v1/devices/{device}")).raise_for_status().json()
    assert (answer["online"], answer["revision"], answer["lags"]) == (None, None, False)
    told: list[str] = []

    async def tell(device_id: str, document: bytes) -> bool:
        told.append(device_id)
        return True

    now = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
    async with site.store.write() as connection:
        await device_configs.add(
            connection, 1, device, document=lambda revision: f'{{"revision":{revision}}}', now=now
        )
    keeper = Keeper(site.store, tell, lambda fate: None)
    await keeper.take([Arrival(f"milepost/v1/{device}/state", birth(device=device).payload(), now)])
    assert told == [device]
    answer = (await page.get(f"/api/v1/devices/{device}")).raise_for_status().json()
    assert (answer["online"], answer["since"]) == (True, "2026-11-20T12:00:00Z")
    assert answer["birth"]["agent"] == "0.1.0"
    assert (answer["desired_revision"], answer["lags"]) == (1, True)
    async with site.store.read() as connection:
        facts = await device_facts.of(connection, 1, device)
    assert "IT LAGS BEHIND" in "\n".join(lines(facts))
    assert (await page.get("/api/v1/devices/gw-none")).status_code == 404
