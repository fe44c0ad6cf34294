"""Checksums of the buses before CAN, which show up with headers on and tell half a frame. Pure."""

from __future__ import annotations

from typing import Final

J1850_POLYNOMIAL: Final = 0x1D


def is_sealed(frame: bytes) -> bool:
    """Whether the last byte of ``frame`` is the checksum of the bytes before it, on any of these buses."""
    body, seal = frame[:-1], frame[-1]
    return seal in (sum_checksum(body), j1850_crc(body))


def sum_checksum(body: bytes) -> int:
    """The checksum of ISO 9141-2 and ISO 14230 (KWP2000)."""
    return sum(body) & 0xFF


def j1850_crc(body: bytes) -> int:
    """The CRC-8 of SAE J1850: polynomial 0x1D, begun and ended with 0xFF."""
    crc = 0xFF
    for byte in body:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ J1850_POLYNOMIAL) & 0xFF if crc & 0x80 else crc << 1
    return crc ^ 0xFF
