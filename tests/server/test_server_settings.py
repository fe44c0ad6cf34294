"""Settings: one list, clear errors, a page that is current."""

from __future__ import annotations

from pathlib import Path

import pytest

from milepost_server import settings
from milepost_server.errors import SettingsError

DOCS = Path(__file__).resolve().parents[2] / "docs" / "server-settings.md"


def test_the_page_of_settings_is_current() -> None:
    assert DOCS.read_text() == settings.document(), "see `milepost-server config docs`"


def test_every_setting_has_help_that_is_a_sentence() -> None:
    for name, _, _, text in settings.describe():
        assert text[0].isupper() or text.startswith(("postgresql", "PEM")), name
        assert text.endswith("."), name


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "server.toml").write_text('http_port = 8001\nlog_level = "debug"\n')
    monkeypatch.setenv("MILEPOST_SERVER_HTTP_PORT", "8002")
    found = settings.load(tmp_path)
    assert (found.http_port, found.log_level, found.data_dir) == (8002, "debug", tmp_path)
    assert found.database == f"sqlite:///{tmp_path}/milepost.db"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http_prot = 1", "setting http_prot: there is no such setting .*did you mean http_port"),
        ("http_port = 0", "setting http_port: .*greater than or equal to 1"),
        ('broker = "rabbit"', "setting broker: .*'embedded' or 'external'"),
        ("http_port = ", "server.toml: is not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "server.toml").write_text(text)
    with pytest.raises(SettingsError, match=said):
        settings.load(tmp_path, {})


def test_a_typo_in_the_environment_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"MILEPOST_SERVER_HTTP_PROT.*did you mean http_port"):
        settings.load(tmp_path, {"MILEPOST_SERVER_HTTP_PROT": "1"})


def test_what_is_shown_can_be_read_again(tmp_path: Path) -> None:
    first = settings.load(tmp_path, {})
    lines = [line for line in settings.as_toml(first) if not line.startswith("data_dir")]
    (tmp_path / "server.toml").write_text("\n".join(lines))
    assert settings.load(tmp_path, {}) == first
