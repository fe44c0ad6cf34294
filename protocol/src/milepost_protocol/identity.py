"""Names of things on the wire: device ids, epochs and vehicle identification numbers."""

from __future__ import annotations

import re

from milepost_protocol.errors import TopicError, VinError

DEVICE_ID_PATTERN = r"[A-Za-z0-9_-]{1,64}"
EPOCH_PATTERN = r"[0-9a-f]{16}"
EPOCH_BYTES = 8

_DEVICE_ID = re.compile(DEVICE_ID_PATTERN)
_EPOCH = re.compile(EPOCH_PATTERN)
_VIN = re.compile(r"[A-HJ-NPR-Z0-9]{17}")


def check_device_id(device: str) -> str:
    """Return ``device`` if it can stand in a topic of every broker.

    Raises:
        TopicError: it is empty, too long, or has another character.
    """
    if not _DEVICE_ID.fullmatch(device):
        raise TopicError(
            f"device id {device[:80]!r} cannot stand in a topic; use 1 to 64 of A-Z a-z 0-9 _ and -"
        )
    return device


def check_epoch(epoch: str) -> str:
    """Return ``epoch`` if it is 16 lower-case hexadecimal digits.

    Raises:
        TopicError: it is not.
    """
    if not _EPOCH.fullmatch(epoch):
        raise TopicError(f"epoch {epoch[:40]!r} is not 16 lower-case hexadecimal digits")
    return epoch


def format_epoch(random_bytes: bytes) -> str:
    """The epoch that ``random_bytes`` (8 of them, made with the buffer file) name."""
    if len(random_bytes) != EPOCH_BYTES:
        raise TopicError(f"an epoch is made of {EPOCH_BYTES} random bytes, not {len(random_bytes)}")
    return random_bytes.hex()


def check_vin(vin: str) -> str:
    """Return ``vin`` in upper case, without surrounding space.

    The check digit is not required: only North America and China make it mandatory.

    Raises:
        VinError: not 17 letters and digits, or one of the letters I, O and Q in it (ISO 3779).
    """
    text = vin.strip().upper()
    if len(text) != 17:
        raise VinError(vin, f"has {len(text)} characters")
    if not _VIN.fullmatch(text):
        raise VinError(vin, "has a character that no VIN has")
    return text
