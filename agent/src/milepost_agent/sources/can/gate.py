"""The gate to the bus: no frame is sent that is not a question which only reads, or its flow control. Pure.

Every frame that the agent sends on a CAN bus passes ``Gate.check``, in ``bus.CanBus.send``, the one place
that sends. It lets through, on identifiers of diagnostics only:

- single frames of ISO-TP with a request of ``obd.readonly``, padded;
- flow control (30 and its two parameters, padded), to one unit, never to all.

A gate without units is shut: a source that only listens sends nothing at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.errors import ReadOnlyError
from milepost_agent.sources.obd.addresses import FUNCTIONAL, FUNCTIONAL_EXTENDED, OBD_EXTENDED, OBD_STANDARD
from milepost_agent.sources.obd.readonly import check_request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_agent.sources.obd.addresses import CanId

FRAME_BYTES: Final = 8
PADDING: Final = 0xCC
SINGLE_BYTES_MAX: Final = 7
CONTINUE: Final = 0x30
FLOW_BYTES: Final = 3

FOR_ALL: Final = frozenset({FUNCTIONAL, FUNCTIONAL_EXTENDED})
FOR_ONE: Final = frozenset({*OBD_STANDARD.values(), *OBD_EXTENDED.values()})


class Frame(NamedTuple):
    """A data frame of classic CAN."""

    id: CanId
    data: bytes


def single_frame(target: CanId, request: bytes) -> Frame:
    """The frame that carries ``request``, of at most seven bytes."""
    return Frame(target, _padded(bytes((len(request),)) + request))


def flow_control(target: CanId, separation_ms: int) -> Frame:
    """The frame that lets a unit send the rest of its answer, with a pause between two frames."""
    return Frame(target, _padded(bytes((CONTINUE, 0, separation_ms))))


def _padded(data: bytes) -> bytes:
    return data.ljust(FRAME_BYTES, bytes((PADDING,)))


class Gate:
    """What may be sent: with diagnostics to units of OBD and of the vehicle profile; else nothing."""

    def __init__(self, *, diagnostics: bool, units: Iterable[CanId] = ()) -> None:
        self._for_all = FOR_ALL if diagnostics else frozenset()
        self._for_one = FOR_ONE | frozenset(units) if diagnostics else frozenset()

    @property
    def is_shut(self) -> bool:
        """Whether nothing at all may be sent."""
        return not self._for_one

    def check(self, frame: Frame) -> Frame:
        """``frame``, if it may be sent.

        Raises:
            ReadOnlyError: it may not; nothing was sent.
        """
        if frame.id not in self._for_all and frame.id not in self._for_one:
            raise ReadOnlyError(_text(frame), "is on no identifier of diagnostics that the agent may use")
        kind, length = frame.data[0] >> 4 if frame.data else -1, len(frame.data)
        if length != FRAME_BYTES:
            raise ReadOnlyError(
                _text(frame), f"has {length} bytes; each frame that is sent has {FRAME_BYTES}"
            )
        if kind == 0:
            self._check_single(frame)
        elif frame.data[0] != CONTINUE or frame.id not in self._for_one or not _is_padded(frame, FLOW_BYTES):
            raise ReadOnlyError(_text(frame), "is neither a single frame nor a flow control to one unit")
        return frame

    def _check_single(self, frame: Frame) -> None:
        size = frame.data[0]
        if not 1 <= size <= SINGLE_BYTES_MAX or not _is_padded(frame, 1 + size):
            raise ReadOnlyError(_text(frame), "holds more than its request")
        check_request(frame.data[1 : 1 + size])


def _is_padded(frame: Frame, used: int) -> bool:
    return frame.data[used:] == bytes((PADDING,)) * (FRAME_BYTES - used)


def _text(frame: Frame) -> str:
    return f"{frame.id}#{frame.data.hex()}"
