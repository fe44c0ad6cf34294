"""What a device says of itself beside its batches: that it is there, that it is not, and what is in force."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from milepost_protocol import limits
from milepost_protocol.desired import DOCUMENT_VERSION
from milepost_protocol.errors import LimitError
from milepost_protocol.frame import MAJOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_protocol.desired import Scalar

LOST = "lost"
"""Why a device is gone that did not say so itself: the broker published its last will."""
STOP = "stop"
SLEEP = "sleep"
RECONFIGURE = "reconfigure"
"""It ends this connection to begin anew with another configuration."""

RUNNING = "running"
WAITING = "waiting"
ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Birth:
    """Published on ``state`` after each connect, and again when something in it changes.

    Attributes:
        run, connection: 16 random hexadecimal digits for each start, and a count of its connections.
        agent: version of the software.
        epoch: of the buffer, "" while it is not open.
        catalogue: that the agent knows, by its ``Catalogue.digest``.
        signals: what its sampling rules let pass, if a source reads it.
        sources: kinds of the sources that it reads.
        clock: trust in the device's time now: synced, rtc or untrusted.
        at_ms, started_ms: now, and when the agent started, by that clock.
        boot: names the life of the machine.
        revision: of the desired configuration in force; None: the device's own file alone.
    """

    device: str
    run: str
    connection: int
    agent: str
    vss: str
    epoch: str
    catalogue: str
    signals: Sequence[str]
    sources: Sequence[str]
    clock: str
    at_ms: int
    started_ms: int
    boot: str
    revision: int | None

    def payload(self) -> bytes:
        """The document as published.

        Raises:
            LimitError: it is too long for the wire.
        """
        return _encoded(
            {
                "device": self.device,
                "online": True,
                "run": self.run,
                "connection": self.connection,
                "agent": self.agent,
                "protocol": MAJOR,
                "vss": self.vss,
                "epoch": self.epoch,
                "catalogue": self.catalogue,
                "signals": list(self.signals),
                "sources": list(self.sources),
                "clock": self.clock,
                "at_ms": self.at_ms,
                "started_ms": self.started_ms,
                "boot": self.boot,
                "revision": self.revision,
            }
        )


@dataclass(frozen=True, slots=True)
class Farewell:
    """The end of a connection: the last will (reason ``lost``), or the device's own word."""

    device: str
    run: str
    connection: int
    reason: str = LOST

    def payload(self) -> bytes:
        """The document as published."""
        return _encoded(
            {
                "device": self.device,
                "online": False,
                "run": self.run,
                "connection": self.connection,
                "reason": self.reason,
            }
        )


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """The collection profile; ``state``: running, ended, or waiting for its consent or the time of day."""

    name: str
    state: str
    signals: Sequence[str]
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A desired configuration that was refused; ``revision`` None where not even that could be read."""

    revision: int | None
    error: str


@dataclass(frozen=True, slots=True)
class Reported:
    """Published on ``reported``: which desired configuration is in force, and what was refused since.

    ``settings`` are the effective values of what it sets; ``settable`` names all settings that the device
    lets be set from afar, as ``section.name``.
    """

    device: str
    revision: int | None
    settings: Mapping[str, Mapping[str, Scalar]]
    profile: ProfileReport | None
    refused: Refusal | None
    settable: Sequence[str]

    def payload(self) -> bytes:
        """The document as published.

        Raises:
            LimitError: it is too long for the wire.
        """
        profile, refused = self.profile, self.refused
        return _encoded(
            {
                "device": self.device,
                "revision": self.revision,
                "settings": {section: dict(table) for section, table in self.settings.items()},
                "profile": profile
                and {
                    "name": profile.name,
                    "state": profile.state,
                    "signals": list(profile.signals),
                    "expires_ms": profile.expires_ms,
                },
                "refused": refused and {"revision": refused.revision, "error": _line(refused.error)},
                "settable": list(self.settable),
            }
        )


def _encoded(fields: Mapping[str, Any]) -> bytes:
    payload = json.dumps({"version": DOCUMENT_VERSION, **fields}, separators=(",", ":")).encode("ascii")
    if len(payload) > limits.DOCUMENT_BYTES_MAX:
        raise LimitError(f"a document of {len(payload)} bytes; at most {limits.DOCUMENT_BYTES_MAX}")
    return payload


def _line(text: str) -> str:
    """``text`` as every reader takes it: printable ASCII, not endless."""
    plain = text.encode("ascii", "backslashreplace").decode()
    printable = "".join(character if character.isprintable() else " " for character in plain)
    return printable[: limits.DOCUMENT_ERROR_CHARACTERS_MAX]
