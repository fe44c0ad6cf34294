"""A serial CAN adapter (SLCAN, after the LAWICEL CAN232 manual): lines in, lines out, without any I/O."""

from __future__ import annotations

from milepost_simulator.car.can_unit import CanFrame

OK = b"\r"
ERROR = b"\a"
LINE_BYTES_MAX = 64
VERSION = b"V1013\r"
SERIAL_NUMBER = b"NMPST\r"
STANDARD_DIGITS = 3
EXTENDED_DIGITS = 8
DATA_BYTES_MAX = 8


class Slcan:
    """One adapter. Sends frames on only while open, and takes none from the line while it only listens."""

    def __init__(self) -> None:
        self.is_open = False
        self.listens_only = False
        self.refused = 0
        self._line = bytearray()

    def feed(self, data: bytes) -> tuple[bytes, list[CanFrame]]:
        """Take characters from the line; gives what the adapter answers, and the frames that it sends."""
        answer, frames = b"", []
        for byte in data:
            if byte != OK[0]:
                if len(self._line) < LINE_BYTES_MAX:
                    self._line.append(byte)
                continue
            said, frame = self._run(self._line.decode("ascii", "replace"))
            self._line.clear()
            answer += said
            frames += [] if frame is None else [frame]
        self.refused += answer.count(ERROR)
        return answer, frames

    def line(self, frame: CanFrame) -> bytes:
        """A frame of the bus as the line that the adapter prints; nothing while it is closed."""
        if not self.is_open:
            return b""
        name = f"T{frame.number:08X}" if frame.is_extended else f"t{frame.number:03X}"
        return f"{name}{len(frame.data)}{frame.data.hex().upper()}\r".encode()

    def _run(self, line: str) -> tuple[bytes, CanFrame | None]:
        command = line[:1]
        if command in ("O", "L"):
            self.is_open, self.listens_only = True, command == "L"
        elif command == "C":
            self.is_open = False
        elif command in ("t", "T"):
            frame = _parse(line) if self.is_open and not self.listens_only else None
            acknowledged = b"z\r" if command == "t" else b"Z\r"
            return (ERROR, None) if frame is None else (acknowledged, frame)
        elif command == "V":
            return VERSION, None
        elif command == "N":
            return SERIAL_NUMBER, None
        elif command and command not in "SsZ":
            return ERROR, None
        return OK, None


def _parse(line: str) -> CanFrame | None:
    is_extended = line[0] == "T"
    place = 1 + (EXTENDED_DIGITS if is_extended else STANDARD_DIGITS)
    try:
        number, length = int(line[1:place], 16), int(line[place])
        data = bytes.fromhex(line[place + 1 :])
    except (ValueError, IndexError):
        return None
    if length != len(data) or length > DATA_BYTES_MAX:
        return None
    return CanFrame(number, is_extended, data)
