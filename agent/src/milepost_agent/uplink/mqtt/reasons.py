"""What a broker's codes mean, and what to do about them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSED: Final = 0x80
"""A code from here on says no."""

_LOGIN: Final = "check [device] id and the secret in secret_file; the server shows whether it was revoked"
_VERSION: Final = 'set [uplink] protocol = "3.1.1"'

CONNACK: Final[Mapping[int, str]] = {
    1: f"it does not speak this version of MQTT; {_VERSION}",
    2: "it does not take this device's id as a client id",
    3: "it is not ready to serve; it may be starting, or its store is not",
    4: f"wrong user name or password; {_LOGIN}",
    5: f"not authorised; {_LOGIN}",
    0x87: f"not authorised; {_LOGIN}",
}
"""Codes of version 3.1.1, and what means something else there than in later packets."""
REASONS_5: Final[Mapping[int, str]] = {
    0x80: "it says no more than no",
    0x81: "it found a packet malformed",
    0x82: "it found a protocol error",
    0x83: "it will not, for a reason of its own",
    0x84: f"it does not speak MQTT 5; {_VERSION}",
    0x85: "it does not take this device's id as a client id",
    0x86: f"wrong user name or password; {_LOGIN}",
    0x87: "not authorised; check what this device may publish and read, and that it is not revoked",
    0x88: "it is not ready to serve; it may be starting, or its store is not",
    0x89: "it is busy",
    0x8A: "this device is banned there",
    0x8B: "it is shutting down",
    0x8C: "it wants another way to log in than a password or a certificate",
    0x8D: "it heard nothing for 1.5 keepalives",
    0x8E: "another client came with this device's id; is the same configuration running twice?",
    0x8F: "it does not take this topic filter",
    0x90: "it does not take this topic",
    0x93: "more messages are under way than it allows",
    0x95: "the message is larger than it takes; raise its limit, 64 KiB are enough for each batch",
    0x96: "messages come faster than it allows",
    0x97: "a quota of the broker is used up",
    0x98: "its operator closed the connection",
    0x99: "the payload is not of the format that it expects",
    0x9A: "it keeps no retained messages",
    0x9B: "it does not offer the asked quality of service",
    0x9C: "it asks to use another broker",
    0x9D: "it has moved to another address",
    0x9F: "connections come faster than it allows",
}


def connack(code: int) -> str:
    """Why a connection was refused; codes of version 3.1.1 are below ``REFUSED``, those of 5 above."""
    meaning = CONNACK.get(code) or REASONS_5.get(code, "unknown")
    return f"the broker does not let this device in: {meaning} (code {code})"


def reason(code: int, said: str = "") -> str:
    """What a code of version 5 means; ``said`` are the broker's own words."""
    meaning = REASONS_5.get(code, "unknown")
    return f"{meaning} (code 0x{code:02x}{', ' if said else ''}{said})"
