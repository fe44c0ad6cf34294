"""ISO 15765-2 (ISO-TP): messages longer than a CAN frame, put together again. Pure, and total."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

FRAME_BYTES_MAX: Final = 8
SEQUENCE_MODULUS: Final = 16


class Reassembled(NamedTuple):
    """Whole payloads with their ECU, in order of their end; ``broken`` counts what did not fit."""

    payloads: list[tuple[str, bytes]]
    broken: int


class _Open(NamedTuple):
    length: int
    data: bytes
    sequence: int


def reassemble(frames: Iterable[tuple[str, bytes]]) -> Reassembled:
    """The payloads in ``frames``: (ECU, frame with its PCI byte), of several ECUs in any interleaving.

    A message with a frame missing, doubled or out of order is dropped whole: half a VIN is none.
    """
    assembler = Assembler()
    for ecu, frame in frames:
        assembler.feed(ecu, frame)
    return Reassembled(assembler.payloads, assembler.broken + len(assembler.unfinished))


class Assembler:
    """Puts frames of any ECUs together as they come: whole ``payloads``, ``unfinished`` ones, ``broken``."""

    def __init__(self) -> None:
        self.payloads: list[tuple[str, bytes]] = []
        self.unfinished: dict[str, _Open] = {}
        self.broken = 0

    def feed(self, ecu: str, frame: bytes) -> bool:
        """Take the next frame of ``ecu``; whether it waits for a flow control now, to send the rest."""
        kind = frame[0] >> 4 if frame and len(frame) <= FRAME_BYTES_MAX else -1
        if kind == 0:
            self._single(ecu, frame)
        elif kind == 1:
            return self._first(ecu, frame)
        elif kind == 2:
            self._consecutive(ecu, frame)
        elif kind != 3:  # 3 is a flow control, of no use to whoever only receives
            self.broken += 1
        return False

    def _single(self, ecu: str, frame: bytes) -> None:
        length = frame[0] & 0x0F
        if not 1 <= length <= len(frame) - 1:
            self.broken += 1
            return
        self.payloads.append((ecu, frame[1 : 1 + length]))

    def _first(self, ecu: str, frame: bytes) -> bool:
        if self.unfinished.pop(ecu, None) is not None:
            self.broken += 1
        length = int.from_bytes(frame[:2], "big") & 0x0FFF
        if len(frame) < FRAME_BYTES_MAX or length < FRAME_BYTES_MAX:
            self.broken += 1
            return False
        self.unfinished[ecu] = _Open(length, frame[2:], 1)
        return True

    def _consecutive(self, ecu: str, frame: bytes) -> None:
        begun = self.unfinished.pop(ecu, None)
        if begun is None or frame[0] & 0x0F != begun.sequence:
            self.broken += 1
            return
        data = begun.data + frame[1:]
        if len(data) >= begun.length:
            self.payloads.append((ecu, data[: begun.length]))
        elif len(frame) < FRAME_BYTES_MAX:
            self.broken += 1
        else:
            self.unfinished[ecu] = _Open(begun.length, data, (begun.sequence + 1) % SEQUENCE_MODULUS)
