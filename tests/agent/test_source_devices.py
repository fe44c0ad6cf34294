"""One device, one reader: two tables for it are refused, whatever each calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost_agent import cli
from milepost_agent.errors import SourceConfigError
from milepost_agent.sources import open_sources


def elm(port: str) -> dict[str, object]:
    return {"kind": "elm327", "port": port}


def can(channel: str, interface: str = "socketcan") -> dict[str, object]:
    return {"kind": "can", "interface": interface, "channel": channel}


@pytest.mark.parametrize(
    "tables",
    [
        [elm("/dev/ttyUSB0"), elm("/dev/ttyUSB0") | {"baud": 9600}],
        [elm("/dev/ttyUSB0"), elm("/dev/../dev/ttyUSB0")],
        [elm("tcp://Adapter:35000"), elm("tcp://adapter:35000")],
        [can("can0"), can("can0") | {"diagnostics": False, "profile": "example-combustion"}],
        [can("/dev/ttyACM0@115200", "slcan"), can("/dev/ttyACM0", "slcan")],
        [elm("/dev/ttyACM0"), can("/dev/ttyACM0@115200", "slcan")],
    ],
)
def test_two_tables_for_one_device_are_refused(tables: list[dict[str, object]]) -> None:
    with pytest.raises(SourceConfigError, match="read by a table before this one"):
        open_sources(tables)
    assert len(open_sources(tables[:1])) == 1


def test_a_link_is_the_device_that_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "by-id").symlink_to("/dev/ttyUSB0")
    with pytest.raises(SourceConfigError, match=r"port: .*by-id"):
        open_sources([elm("/dev/ttyUSB0"), elm(str(tmp_path / "by-id"))])


def test_different_devices_are_read_at_once() -> None:
    tables = [elm("/dev/ttyUSB0"), elm("/dev/ttyUSB1"), can("can0"), can("can1"), can("can0", "virtual")]
    assert len(open_sources(tables)) == len(tables)


def test_config_check_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    secret.chmod(0o600)
    file = tmp_path / "agent.toml"
    file.write_text(
        f'[device]\nid = "gw"\nsecret_file = "{secret}"\n[uplink]\nhost = "h"\n'
        + 2 * '[[source]]\nkind = "can"\ninterface = "socketcan"\nchannel = "can0"\n'
    )
    assert cli.main(["config", "check", "--config", str(file)]) != 0
    assert "[[source]] channel: 'can0' is read by a table before this one" in capsys.readouterr().err
