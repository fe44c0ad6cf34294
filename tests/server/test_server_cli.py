"""The commands of an installation, and what they say when something is wrong."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from milepost_protocol.codec import encode_batch
from milepost_server.broker import credentials
from milepost_server.cli import main
from milepost_server.people.passwords import Passwords
from milepost_server.store import devices, staff
from milepost_server.store.engine import open_store
from support.batches import DEVICE, batch, sample
from support.model_checks import put_check, put_in_force
from support.taking import Taker, arrival

PASSWORD_MARK = "password"


class Installation:
    """A data directory and the command line on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, code: int = 0, typed: str | None = None) -> str:
        result = CliRunner().invoke(main, [*arguments, "--data-dir", str(self.folder)], input=typed)
        assert result.exit_code == code, result.output
        return result.output

    def init(self, *more: str, code: int = 0) -> str:
        return self.run("init", "--dealer", "Nord Motors", "--email", "Ada@Nord.example", *more, code=code)


@pytest.fixture
def site(tmp_path: Path) -> Installation:
    site = Installation(tmp_path / "milepost-data")
    site.init("--credentials", str(tmp_path / "credentials.json"))
    return site


def stored_hash(site: Installation) -> str:
    with closing(sqlite3.connect(site.folder / "milepost.db")) as db:
        row: tuple[str] = db.execute("SELECT password_hash FROM staff WHERE id = 1").fetchone()
        return row[0]


def leaves(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            found += leaves(command, (*path, name))
        else:
            found.append((*path, name))
    return found


@pytest.mark.parametrize("path", leaves(main), ids=" ".join)
def test_every_command_has_help_with_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(main, [*path, "--help"], terminal_width=200)
    assert result.exit_code == 0
    assert f"Example: milepost-server {' '.join(path)}" in result.output


async def test_init_makes_a_manager_who_can_log_in(tmp_path: Path) -> None:
    site = Installation(tmp_path / "data")
    said_in = tmp_path / "credentials.json"
    output = await asyncio.to_thread(site.init, "--credentials", str(said_in), "--timezone", "Europe/Oslo")
    said = json.loads(said_in.read_text())
    assert stat.S_IMODE(said_in.stat().st_mode) == 0o600
    assert said[PASSWORD_MARK] in output
    store = open_store(f"sqlite:///{site.folder / 'milepost.db'}")
    async with store.read() as connection:
        login = await staff.login_of(connection, "ada@nord.example")
    await store.close()
    assert login is not None
    assert await Passwords().verify(said[PASSWORD_MARK], login.password_hash)


def test_init_makes_private_secrets(site: Installation) -> None:
    secrets = site.folder / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o600}


def test_a_second_init_changes_nothing(site: Installation) -> None:
    before = {path: path.read_bytes() for path in (site.folder / "secrets").iterdir()}
    assert "there is an installation already" in site.init(code=1)
    assert {path: path.read_bytes() for path in (site.folder / "secrets").iterdir()} == before


def test_settings_at_init_are_checked_before_they_are_kept(tmp_path: Path) -> None:
    site = Installation(tmp_path / "data")
    assert "did you mean http_port" in site.init("--set", "http_prot=8001", code=1)
    site.init("--set", "http_port=8001", "--set", "broker_tls_cert=")
    assert "http_port = 8001" in site.run("config", "show")


def test_without_an_installation_commands_say_what_to_do(tmp_path: Path) -> None:
    site = Installation(tmp_path)
    assert "run `milepost-server migrate`" in site.run("dealer", "list", code=1)
    site.run("migrate")
    assert site.run("dealer", "list") == ""


def test_a_time_zone_that_is_none(site: Installation) -> None:
    assert "is no time zone" in site.run("dealer", "add", "--name", "Syd", "--timezone", "Mars/Base", code=2)


def test_with_two_dealers_one_must_be_named(site: Installation) -> None:
    assert "is not three capital letters" in site.run(
        "dealer", "add", "--name", "S", "--currency", "kr", code=2
    )
    assert site.run("dealer", "add", "--name", "Syd Motors", "--currency", "SEK") == "dealer 2\n"
    with closing(sqlite3.connect(site.folder / "milepost.db")) as db:
        assert db.execute("SELECT currency FROM dealers ORDER BY id").fetchall() == [("EUR",), ("SEK",)]
    said = site.run("device", "add", "gw-1", code=2)
    assert "1 (Nord Motors), 2 (Syd Motors)" in said
    site.run("device", "add", "gw-1", "--dealer", "2")
    assert "no dealer 7" in site.run("device", "add", "gw-2", "--dealer", "7", code=1)


def test_users(site: Installation) -> None:
    assert PASSWORD_MARK in site.run("user", "add", "--email", "bo@nord.example", "--role", "sales")
    assert "is taken already" in site.run("user", "add", "--email", "BO@nord.example", code=1)
    asked = ("user", "add", "--email", "cy@nord.example", "--ask")
    assert PASSWORD_MARK not in site.run(*asked, typed="a good long one\na good long one\n").splitlines()[-1]
    assert "at least" in site.run("user", "add", "--email", "d@x.example", "--ask", typed="x\nx\n", code=2)


def test_a_forgotten_password_is_replaced(site: Installation) -> None:
    before = stored_hash(site)
    said = site.run("user", "password", "--email", "ADA@nord.example")
    assert PASSWORD_MARK in said
    assert "0 sessions ended" in said
    assert stored_hash(site) != before
    assert "no user 'nobody@nord.example'" in site.run(
        "user", "password", "--email", "nobody@nord.example", code=1
    )


async def test_devices(site: Installation, tmp_path: Path) -> None:
    out = tmp_path / "gw"
    await asyncio.to_thread(site.run, "device", "add", DEVICE, "--out", str(out))
    assert f'id = "{DEVICE}"' in (out / "agent.toml").read_text()
    assert stat.S_IMODE((out / "device.secret").stat().st_mode) == 0o600
    store = open_store(f"sqlite:///{site.folder / 'milepost.db'}")
    async with store.read() as connection:
        stored = await devices.credential(connection, DEVICE)
    assert stored is not None
    assert credentials.matches((out / "device.secret").read_text().strip(), stored)

    await asyncio.to_thread(site.run, "device", "revoke", DEVICE)
    async with store.read() as connection:
        assert await devices.credential(connection, DEVICE) is None
    await store.close()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("device", "add", "gw 1"), 2, "cannot stand in a topic"),
        (("device", "add", "gw-1", "--vin", "12345"), 2, "17 letters and digits"),
        (("device", "add", "gw-1", "--vin", "1M8GDM9AXKP042788"), 1, "there is no vehicle with VIN"),
        (("device", "revoke", "gw-1"), 1, "there is no device 'gw-1'"),
        (("quarantine", "show", "7"), 1, "there is no payload in quarantine 7"),
        (("quarantine", "replay", "7"), 1, "there is no payload in quarantine 7"),
        (("reproject", "--device", "gw-1"), 1, "there is no device 'gw-1'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    site: Installation, arguments: tuple[str, ...], code: int, said: str
) -> None:
    output = site.run(*arguments, code=code)
    assert said in output
    assert "Traceback" not in output


async def test_the_quarantine_from_held_to_settled(site: Installation, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{site.folder / 'milepost.db'}")
    payload = encode_batch(batch(sample(1), sample(2)))
    await Taker(store).take(payload, arrival(b"garbage", "elsewhere"))
    await store.close()

    def command(*arguments: str, code: int = 0) -> str:
        return site.run("quarantine", *arguments, code=code)

    def walk() -> None:
        first, second = command("list").splitlines()
        assert first.split("\t")[3:6] == [DEVICE, "unknown-device", str(len(payload))]
        assert second.split("\t")[3:5] == ["-", "topic"]
        assert "begins    67 61 72" in command("show", "2", "--payload", str(tmp_path / "payload"))
        assert (tmp_path / "payload").read_bytes() == b"garbage"
        assert "register device" in command("replay", "1", code=1)
        site.run("device", "add", DEVICE)
        assert "it brought 2 seqs" in command("replay", "1")
        assert "was replayed already" in command("replay", "1", code=1)
        command("discard", "2")
        assert [line.split("\t")[1] for line in command("list").splitlines()] == ["replayed", "discarded"]
        assert "The quarantine is empty." in command("list", "--state", "held")
        assert site.run("reproject") == f"{DEVICE}\t0 readings\n"  # in no vehicle yet

    await asyncio.to_thread(walk)


def test_derive_says_what_it_did(site: Installation) -> None:
    today = site.run("derive")
    assert today.startswith("1 of 1 step\n"), "learning, and no chunk of vehicles or owners"
    assert "no vehicles, no items as of 20" in today
    past = site.run("derive", "--as-of", "2026-03-03")
    assert "no vehicles, no items as of 2026-03-03\nno list had been made by then" in past
    assert "played from 2026-01-02 on, day by day: 61 days\n" in past
    assert "61 of 61 steps" in past
    assert "is still to come: where Nord Motors is, it is 20" in site.run(
        "derive", "--as-of", "2999-01-01", code=1
    )


def test_a_schedule_is_set_shown_and_taken_back(site: Installation, tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    plan = """schema = 1
dealer = "Nord Motors"
title = "What our workshop says"
[[item]]
key = "engine-oil"
[[item.interval]]
time_months = 24
source = "What our workshop has seen."
"""
    file.write_text(plan)
    assert "schedule ours of dealer 1" in site.run("schedule", "set", str(file))
    assert site.run("schedule", "show").startswith("ours\t")
    assert site.run("schedule", "show", "ours") == plan
    file.write_text(plan.replace("engine-oil", "wings"))
    assert "item wings: no schedule has it" in site.run("schedule", "set", str(file), code=1)
    assert "is taken back" in site.run("schedule", "reset", "ours")
    assert "(Nord Motors) has set no schedule" in site.run("schedule", "show")
    assert "no schedule 'ours'" in site.run("schedule", "reset", "ours", code=1)
    assert "no schedule 'ours'" in site.run("schedule", "show", "ours", code=1)


def test_a_plan_list_is_set_shown_and_taken_back(site: Installation, tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    text = """schema = 1
[[plan]]
name = "Town"
km_per_year = 10000
price_per_year = 4800
price_per_extra_km = 0.2
"""
    file.write_text(text)
    assert "plan list ours of dealer 1" in site.run("plan", "set", str(file))
    assert site.run("plan", "show").startswith("ours\t")
    assert site.run("plan", "show", "ours") == text
    assert "(Nord Motors) has set no schedule" in site.run("schedule", "show")
    file.write_text(text.replace("4800", "'dear'"))
    assert "ours, plan Town, price_per_year: " in site.run("plan", "set", str(file), code=1)
    file.write_bytes(b"schema = 1 # \xff")
    assert "is no text in UTF-8" in site.run("plan", "set", str(file), code=1)
    assert "take small letters" in site.run("plan", "set", "--name", "Our Plans", str(file), code=2)
    assert site.run("plan", "show", "ours") == text, "what held before holds on"
    assert "is taken back" in site.run("plan", "reset", "ours")
    assert "(Nord Motors) has set no plan list" in site.run("plan", "show")
    assert "no plan list 'ours'" in site.run("plan", "reset", "ours", code=1)


def test_a_directory_without_an_installation_is_said_to_be_one(tmp_path: Path) -> None:
    nowhere = Installation(tmp_path / "nowhere")
    for words in (("derive",), ("schedule", "show"), ("readiness", "check")):
        said = nowhere.run(*words, code=1)
        assert f"there is no installation in {nowhere.folder}" in said
        assert "milepost-server init" in said
    assert not nowhere.folder.exists()


def test_without_outcomes_no_model_is_learned(site: Installation) -> None:
    assert site.run("readiness", "models").startswith("none yet: published figures score")
    assert site.run("readiness", "fit", code=1).splitlines()[-1].startswith("milepost-server: ")


def test_whether_a_model_still_fits_is_told_of_each_dealer(site: Installation) -> None:
    site.run("dealer", "add", "--name", "Syd Motors")
    north, south = re.split(r"(?=^dealer 2)", site.run("readiness", "check"), flags=re.MULTILINE)
    assert "dealer 1 (Nord Motors): prior-" in north
    assert "not checked yet: `milepost-server derive --dealer 2` does" in south
    site.run("derive", "--dealer", "2")
    assert "Too few outcomes yet" in site.run("readiness", "check", "--dealer", "2")

    async def put() -> None:
        store = open_store(f"sqlite:///{site.folder / 'milepost.db'}")
        await put_in_force(store, 1)
        await put_check(store, 1)
        await store.close()

    asyncio.run(put())
    told = site.run("readiness", "check", "--dealer", "1")
    assert "with 311 cars" in told
    assert "  slope\t0.94\t0.71 to 1.17\n" in told
    assert "  age_months\t0.31\thas moved far\t96 to under 144 months: 12% when learned, 27% now\n" in told
    assert "Learn it anew: `milepost-server readiness fit`." in told
    assert "no dealer 7" in site.run("readiness", "check", "--dealer", "7", code=1)
