"""Asking the entry socket of the running agent."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import TYPE_CHECKING, Any, Final

from milepost_agent.errors import EntryError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ANSWER_S_MAX: Final = 30.0
"""A slow flash takes some seconds for a commit."""
ANSWER_BYTES_MAX: Final = 64 * 1024


def enter(path: Path, entry: Mapping[str, Any]) -> dict[str, Any]:
    """What the agent stored of ``entry``; when this returns, it survives a power cut.

    Raises:
        EntryError: no agent takes entries at ``path``, or it does not take this one.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(ANSWER_S_MAX)
        try:
            channel.connect(os.fspath(path))
            with contextlib.suppress(BrokenPipeError):  # who is turned away at the door is still told why
                channel.sendall(json.dumps(entry).encode() + b"\n")
            with channel.makefile("rb") as stream:
                answer = json.loads(stream.readline(ANSWER_BYTES_MAX))
        except OSError as error:
            raise EntryError(
                "no-agent",
                f"no agent takes entries at {path} ({error.strerror or error}); is `milepost-agent run` "
                "running with this config, and may you open its socket?",
            ) from error
        except ValueError as error:
            raise EntryError("no-agent", f"the agent at {path} ended before it answered") from error
    return _stored(answer, path)


def _stored(answer: Any, path: Path) -> dict[str, Any]:
    stored = answer.get("stored") if isinstance(answer, dict) else None
    if isinstance(stored, dict):
        return stored
    error = answer.get("error") if isinstance(answer, dict) else None
    if isinstance(error, dict):
        raise EntryError(str(error.get("reason")), str(error.get("message")))
    raise EntryError("no-agent", f"what answers at {path} is no agent")
