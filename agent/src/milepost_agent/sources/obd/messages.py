"""What control units answered, as every source understands it: messages, refusals, and silence. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, NamedTuple

POSITIVE: Final = 0x40
NEGATIVE: Final = 0x7F
RESPONSE_PENDING: Final = 0x78
ECHOED_BYTES: Final = {0x01: 1, 0x09: 1, 0x19: 1, 0x22: 2}
"""Bytes after the service that an answer repeats from its request: PID, sub-function, identifier."""


class Framing(enum.Enum):
    """How a message came: what follows for it depends on the bus."""

    CAN = "can"
    LEGACY = "legacy"
    BARE = "bare"


class Message(NamedTuple):
    """The answer of one ECU, from its service byte on."""

    ecu: str
    payload: bytes
    framing: Framing


class Refusal(NamedTuple):
    """A negative answer (7F) of one ECU."""

    ecu: str
    code: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What one request brought; ``garbled`` counts messages that made no sense."""

    messages: tuple[Message, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    garbled: int = 0

    @property
    def is_silence(self) -> bool:
        """Whether no ECU said anything, neither yes nor no, nor anything half heard."""
        return not self.messages and not self.refusals and not self.garbled


def answers(request: bytes, payload: bytes) -> bool:
    """Whether ``payload`` answers ``request``, yes or no."""
    service = request[0]
    if len(payload) >= 3 and payload[0] == NEGATIVE:
        return payload[1] == service
    if not payload or payload[0] != service + POSITIVE:
        return False
    echoed = 1 + ECHOED_BYTES.get(service, 0)
    return payload[1:echoed] == request[1:echoed]
