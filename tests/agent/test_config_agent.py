"""The agent's configuration: one list of settings, errors that say what to do, documents that are current."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

from milepost_agent import cli
from milepost_agent.config import load, parse, read_secret
from milepost_agent.config_text import as_markdown, as_toml
from milepost_agent.consent import consent_of
from milepost_agent.errors import ConfigError
from milepost_agent.settings import settings
from milepost_protocol.desired import Consent

LEAST = {"device": {"id": "gw-000017"}, "uplink": {"host": "broker.example"}}
CONSENT = {"owner": "owner-42", "granted_at": "2026-03-01", "expires_at": "2026-09-01T00:00:00Z"}
DOCS = Path(__file__).resolve().parents[2] / "docs" / "agent-settings.md"


def with_setting(section: str, **values: Any) -> dict[str, Any]:
    return LEAST | {section: LEAST.get(section, {}) | values}


def with_consent(**changes: str) -> dict[str, Any]:
    return LEAST | {"profile": {"Vehicle.Speed": {}}, "consent": CONSENT | changes}


def test_defaults_are_within_their_own_bounds() -> None:
    config = parse(LEAST)
    assert config.buffer.commit_interval_s == 30.0
    again = {"device": {"id": "x"}, "uplink": {"host": "y"}}
    for setting in settings():
        if not setting.is_required and setting.default is not None:
            again.setdefault(setting.section, {})[setting.name] = setting.default
    parse(again)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (with_setting("buffer", comit_interval_s=5), "is no setting; did you mean buffer.commit_interval_s?"),
        (LEAST | {"bufer": {}}, "bufer: is no setting; did you mean buffer?"),
        ({"device": {"id": "a"}}, "uplink.host: is missing"),
        (with_setting("buffer", bytes_max="64M"), "buffer.bytes_max: is '64M'; it must be a whole number"),
        (with_setting("uplink", tls=1), "uplink.tls: is 1; it must be true or false"),
        (with_setting("uplink", port=True), "uplink.port: is True; it must be a whole number"),
        (with_setting("uplink", port=70_000), "uplink.port: is 70000; it must be from 1 to 65,535"),
        (with_setting("buffer", commit_interval_s=0), "is 0; it must be from 0.05 to 3,600 s"),
        (with_setting("buffer", commit_interval_s=float("nan")), "buffer.commit_interval_s: is nan"),
        (with_setting("vehicle", mass_kg=10**400), "vehicle.mass_kg: is 1000"),
        (with_setting("uplink", host=""), "uplink.host: is ''; it must be from 1 to 253 characters"),
        (with_setting("uplink", host="mqtt://broker"), "the name or address alone"),
        (with_setting("uplink", host="broker.example:1883"), "the name or address alone"),
        (with_setting("buffer", path=""), "buffer.path: is ''; it must be from 1"),
        (with_setting("buffer", path="/data/a\0b"), "must be one line of characters that print"),
        (with_setting("health", socket="/run/" + 99 * "x"), "it must be from 1 to 103 characters"),
        (with_setting("device", id="gw 17"), "device.id"),
        (with_setting("power", system_v=18), "power.system_v: is 18; it must be 12 or 24"),
        (with_setting("power", rest_link="hold"), "it must be close or keep"),
        (with_setting("power", sleep_v=12.3), "power.saving_v: is 12.2; it must be above sleep_v (12.3)"),
        (with_setting("power", sleep_command="systemctl suspend"), 'it must be texts as ["one", "two"]'),
        (with_setting("power", sleep_command=["systemctl", 1]), "one line of characters that print"),
        (with_setting("vehicle", vin="1M8GDM9AXKP04278"), "vehicle.vin"),
        (with_setting("uplink", cert_file="a.pem", tls=True), "uplink.cert_file"),
        (with_setting("uplink", ca_file="a.pem"), "uplink.tls: is false, but certificates are named"),
        (with_setting("uplink", reconnect_s_min=500.0), "uplink.reconnect_s_max: is below"),
        (with_setting("uplink", protocol="3.1"), "uplink.protocol: is '3.1'; it must be 3.1.1 or 5"),
        (with_setting("uplink", quiet_hours="22-6"), "write it as 22:00-06:00 (UTC)"),
        (with_setting("uplink", metered=True), "uplink.metered: is true, but there are no bytes to pace"),
        (with_setting("log", level="loud"), "log.level"),
        (with_setting("health", metrics_file="/run/m.txt"), "'/run/m.txt'; its name must end in .prom"),
        (LEAST | {"source": {"kind": "elm327"}}, "source: must be written as [[source]]"),
        (LEAST | {"device": "gw"}, "device: must be a table"),
        (LEAST | {"profile": {"Vehicle.Sped": {}}}, "is no signal of the catalogue"),
        (LEAST | {"profile": {"Vehicle.Speed": {"interval_min_s": 1}}}, "did you mean"),
        (LEAST | {"profile": {"Vehicle.Speed": {"every": 1}}}, "must be true or false"),
        (LEAST | {"profile": {"Vehicle.Speed": {"deadband": math.nan}}}, "must be a number, 0 or more"),
        (LEAST | {"profile": {"Vehicle.Speed": {"interval_s_min": math.inf}}}, "must be a number, 0 or more"),
        (LEAST | {"profile": {"Vehicle.VehicleIdentification.VIN": {}}}, "numbers and switches only"),
        (LEAST | {"profile": {"Vehicle.Speed": {}}}, "consent.owner: is missing; a [profile] needs"),
        (with_consent(expires_at=""), "consent.expires_at: is missing"),
        (with_consent(owner="Ada Lovelace"), "consent: owner: must be 1 to 64 letters"),
        (with_consent(granted_at="in spring"), "consent.granted_at: is 'in spring'; write it as"),
        (with_consent(expires_at="2026-02-01"), "consent: must end after it begins"),
        (with_consent(expires_at="2028-03-01"), "after at most 366 days"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_what_to_do(document: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(document)
    assert message in str(caught.value)


def test_dates_and_whole_numbers_are_taken_as_people_write_them() -> None:
    document = tomllib.loads(
        '[device]\nid = "a"\n[uplink]\nhost = "b"\n'
        "[vehicle]\nanchor_at = 2026-03-01\nanchor_odometer_m = 12400000\n"
        '[profile."Vehicle.Speed"]\ninterval_s_min = 1\n'
        '[consent]\nowner = "owner-42"\ngranted_at = 2026-03-01\nexpires_at = 2026-04-01T10:00:00+02:00\n'
    )
    config = parse(document)
    assert config.vehicle.anchor_at == "2026-03-01"
    assert config.vehicle.anchor_odometer_m == 12_400_000.0
    assert config.profile["Vehicle.Speed"].interval_s_min == 1
    assert consent_of(config.consent) == Consent("owner-42", 1_772_323_200_000, 1_775_030_400_000)


def test_what_show_prints_is_the_same_configuration() -> None:
    document = with_setting("buffer", path='/data/ä "b".db', bytes_max=2**21) | {
        "source": [{"kind": "replay", "file": "drive.csv", "speed": 2.0}],
        "profile": {"Vehicle.Speed": {"every": True}},
        "consent": CONSENT,
        "power": {"sleep_command": ["rtcwake", "-s", "{seconds}"]},
    }
    config = parse(document)
    assert parse(tomllib.loads(as_toml(config))) == config


@pytest.mark.parametrize("host", ["broker", "10.0.0.1", "::1", "fe80::1%eth0"])
def test_names_and_addresses_are_hosts(host: str) -> None:
    assert parse(with_setting("uplink", host=host)).uplink.host == host


def test_the_documentation_lists_the_settings_as_they_are() -> None:
    assert DOCS.read_text() == as_markdown(), (
        "run: milepost-agent config show --markdown > docs/agent-settings.md"
    )


def test_a_file_that_is_absent_or_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")
    for content in (b"device = [", b"x = " + 5000 * b"9", b"x = " + 5000 * b"[", b"\xff\xfe"):
        (tmp_path / "bad.toml").write_bytes(content)
        with pytest.raises(ConfigError, match="is not TOML"):
            load(tmp_path / "bad.toml")


@pytest.mark.parametrize(("mode", "refused"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int, refused: bool) -> None:
    file = tmp_path / "secret"
    file.write_text("s3cret\n")
    file.chmod(mode)
    if refused:
        with pytest.raises(ConfigError, match="chmod 600"):
            read_secret(file)
    else:
        assert read_secret(file) == "s3cret"


@pytest.mark.parametrize("content", ["", "\n", "two\nlines", "x" * 2000])
def test_a_secret_file_holds_the_secret_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "secret"
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="one line"):
        read_secret(file)


def test_the_command_line_checks_shows_and_exits_with_2_on_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('[device]\nid = "gw-000017"\n[uplink]\nhost = "broker.example"\n')
    assert cli.main(["config", "check", "--config", str(file)]) == 0
    assert "good" in capsys.readouterr().out
    assert cli.main(["config", "show", "--config", str(file)]) == 0
    assert 'host = "broker.example"' in capsys.readouterr().out
    file.write_text(file.read_text() + 'prot = 1883\n[[source]]\nkind = "elm"\n')
    assert cli.main(["config", "check", "--config", str(file)]) == 2
    assert "did you mean uplink.port?" in capsys.readouterr().err
    file.write_text(file.read_text().replace("prot", "port"))
    assert cli.main(["config", "check", "--config", str(file)]) == 2
    assert "'elm' is none of can, elm327" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [[], ["run"], ["status"], ["config"], ["config", "check"], ["config", "show"]]
)
def test_every_command_has_help_with_an_example(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([*command, "--help"])
    assert left.value.code == 0
    assert "Example: milepost-agent" in capsys.readouterr().out
