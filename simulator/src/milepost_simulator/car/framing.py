"""From an answer's bytes to the lines that an adapter prints: ISO-TP on CAN, and the older K-line."""

from __future__ import annotations

from typing import NamedTuple

CAN_BYTES = 8
SINGLE_FRAME_MAX = 7
FIRST_FRAME_DATA = 6
CONSECUTIVE_DATA = 7
K_LINE_VIN_CHUNK = 4


class Protocol(NamedTuple):
    """One of the bus protocols, by the number that an adapter gives it."""

    number: int
    text: str
    is_can: bool
    is_extended: bool = False


PROTOCOLS = {
    protocol.number: protocol
    for protocol in (
        Protocol(1, "SAE J1850 PWM", is_can=False),
        Protocol(2, "SAE J1850 VPW", is_can=False),
        Protocol(3, "ISO 9141-2", is_can=False),
        Protocol(4, "ISO 14230-4 (KWP 5BAUD)", is_can=False),
        Protocol(5, "ISO 14230-4 (KWP FAST)", is_can=False),
        Protocol(6, "ISO 15765-4 (CAN 11/500)", is_can=True),
        Protocol(7, "ISO 15765-4 (CAN 29/500)", is_can=True, is_extended=True),
        Protocol(8, "ISO 15765-4 (CAN 11/250)", is_can=True),
        Protocol(9, "ISO 15765-4 (CAN 29/250)", is_can=True, is_extended=True),
    )
}


class Frame(NamedTuple):
    """One message on the bus: who sent it, its data, and how much of that is no padding."""

    header: bytes
    data: bytes
    used: int


def obd_identifier(address: int, *, is_extended: bool) -> int:
    """What a unit of OBD answers on, on either bus; ``address`` is that of 11 bits, such as 0x7E8."""
    return 0x18DAF110 + (address & 0x07) if is_extended else address


def can_frames(identifier: int, payload: bytes, *, is_extended: bool, padding: int | None) -> list[Frame]:
    """Cut a payload into ISO-TP frames.

    Args:
        identifier: of the sender, such as 0x7E8.
        payload: the answer, 1 to 4095 bytes.
        is_extended: whether the identifier has 29 bits.
        padding: the byte that fills frames up to eight, or None for frames as long as their data.
    """
    header = identifier.to_bytes(4 if is_extended else 2, "big")
    if len(payload) <= SINGLE_FRAME_MAX:
        parts = [bytes((len(payload),)) + payload]
    else:
        parts = [(0x1000 | len(payload)).to_bytes(2, "big") + payload[:FIRST_FRAME_DATA]]
        for index, start in enumerate(range(FIRST_FRAME_DATA, len(payload), CONSECUTIVE_DATA), start=1):
            parts.append(bytes((0x20 | index & 0x0F,)) + payload[start : start + CONSECUTIVE_DATA])
    filler = b"" if padding is None else bytes((padding,)) * CAN_BYTES
    return [Frame(header, part + filler[len(part) :], len(part)) for part in parts]


def k_line_frames(address: int, payload: bytes) -> list[Frame]:
    """Cut a payload into messages of the older buses, each with a checksum at its end.

    Trouble codes come three a message without a count, a VIN in five numbered messages of four bytes.
    """
    sender = 0x10 + (address & 0x07)
    frames = []
    for data in _k_line_data(payload):
        header = bytes((0x48, 0x6B, sender))
        checksum = sum(header + data) & 0xFF
        frames.append(Frame(header, data + bytes((checksum,)), len(data)))
    return frames


def _k_line_data(payload: bytes) -> list[bytes]:
    mode = payload[0]
    if mode in (0x43, 0x47, 0x4A):
        codes = payload[2:]
        chunks = [codes[i : i + 6].ljust(6, b"\0") for i in range(0, len(codes), 6)] or [bytes(6)]
        return [bytes((mode,)) + chunk for chunk in chunks]
    if mode == 0x49 and payload[1] != 0x00:
        text = payload[3:]
        text = text.rjust(-(-len(text) // K_LINE_VIN_CHUNK) * K_LINE_VIN_CHUNK, b"\0")
        return [
            bytes((mode, payload[1], number)) + text[start : start + K_LINE_VIN_CHUNK]
            for number, start in enumerate(range(0, len(text), K_LINE_VIN_CHUNK), start=1)
        ]
    return [payload]
