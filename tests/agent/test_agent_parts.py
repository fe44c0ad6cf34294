"""What the agent's parts are made of."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest

from milepost_agent import config, parts
from milepost_agent.buffer.files import PosixFiles
from milepost_agent.buffer.policy import DiskFacts
from milepost_agent.errors import ConfigError, StoreIoError
from support.certificates import Authority


class Refusing(PosixFiles):
    """A disk that does not even tell what is free on it."""

    def look(self, folder: Path) -> DiskFacts:
        raise OSError(errno.EIO, "Input/output error", str(folder))


def test_a_disk_that_does_not_tell_its_room_is_an_error_of_the_store(tmp_path: Path) -> None:
    # As any other error it would end the task that commits, and with it the agent.
    given = config.parse(
        {"device": {"id": "gw-1"}, "uplink": {"host": "broker"}, "buffer": {"path": str(tmp_path / "b.db")}}
    )
    with pytest.raises(StoreIoError, match="Input/output error"):
        parts.free_space(given, Refusing())


def test_a_small_memory_is_committed_before_it_is_full() -> None:
    given = config.parse(
        {
            "device": {"id": "gw-1"},
            "uplink": {"host": "broker"},
            "buffer": {"memory_samples_max": 100, "commit_samples_max": 1000},
        }
    )
    assert parts.recorder_limits(given).commit_samples_max == 50


def test_a_certificate_that_cannot_be_used_is_named_with_its_setting(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own, other = authority.sign("own"), authority.sign("other")
    locked = tmp_path / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-in", own.key, "-aes128", "-passout", "pass:x", "-out", locked],
        check=True,
        capture_output=True,
    )
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for files, key, words in (
        ({"ca_file": wrong}, "uplink.ca_file", "holds no certificate in PEM"),
        ({"ca_file": tmp_path / "none.pem"}, "uplink.ca_file", "No such file"),
        (
            {"cert_file": wrong, "key_file": own.key},
            "uplink.cert_file",
            "must hold a certificate and its key",
        ),
        (
            {"cert_file": own.cert, "key_file": other.key},
            "uplink.cert_file",
            "is not that of the certificate",
        ),
        ({"cert_file": own.cert, "key_file": locked}, "uplink.cert_file", "without a passphrase"),
        ({"cert_file": own.cert, "key_file": tmp_path / "none.key"}, "uplink.cert_file", "No such file"),
    ):
        uplink = {"host": "broker", "tls": True} | {name: str(file) for name, file in files.items()}
        given = config.parse({"device": {"id": "gw-1"}, "uplink": uplink})
        with pytest.raises(ConfigError, match=words) as caught:
            parts.broker(given)
        assert caught.value.key == key
