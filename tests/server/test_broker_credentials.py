"""One stored form of device secrets for both brokers."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from milepost_server.broker import credentials
from support import mosquitto

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "correct-horse-battery-staple"


def test_a_credential_matches_its_secret_only() -> None:
    stored = credentials.credential(SECRET)
    assert credentials.matches(SECRET, stored)
    assert not credentials.matches(SECRET + "x", stored)
    assert not credentials.matches("", stored)
    assert SECRET not in stored


def test_two_credentials_of_one_secret_differ() -> None:
    assert credentials.credential(SECRET) != credentials.credential(SECRET)


def test_secrets_are_32_random_bytes() -> None:
    secrets = {credentials.new_secret() for _ in range(50)}
    assert len(secrets) == 50
    assert all(len(secret) == 43 for secret in secrets)


@pytest.mark.parametrize(
    "stored",
    ["", "$7$", "$7$x$AA==$AA==", "$7$0$AA==$AA==", "$7$999999999$AA==$AA==", "$6$AA==$AA==", "plain"],
)
def test_what_is_no_credential_matches_nothing(stored: str) -> None:
    assert not credentials.matches(SECRET, stored)
    assert not credentials.matches("", stored)


def test_mosquittos_own_hashes_are_read(tmp_path: Path) -> None:
    assert mosquitto.PASSWORDS, "no mosquitto_passwd here; it comes with the Debian package mosquitto"
    file = tmp_path / "passwords"
    file.touch(mode=0o600)
    subprocess.run([mosquitto.PASSWORDS, "-b", file, "gw-1", SECRET], check=True, capture_output=True)
    user, _, stored = file.read_text().strip().partition(":")
    assert user == "gw-1"
    assert credentials.matches(SECRET, stored)
    assert not credentials.matches("another", stored)
