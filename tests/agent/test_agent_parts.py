"""What the agent's parts are made of."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from milepost_agent import config, parts
from milepost_agent.buffer.files import PosixFiles
from milepost_agent.buffer.policy import DiskFacts
from milepost_agent.errors import StoreIoError


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
