"""The vehicle identification number of service 09 02. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_agent.errors import ReplyError
from milepost_protocol.errors import VinError
from milepost_protocol.identity import check_vin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_agent.sources.obd.messages import Message

VIN_REQUEST: Final = "0902"
VIN_LENGTH: Final = 17
LINE_BYTES: Final = 7
"""Before CAN a VIN comes in five answers: 49 02, their number, and four bytes each, padded in front."""


def decode_vin(messages: Sequence[Message]) -> str:
    """The VIN in the answers to 09 02, from the first ECU that gives a whole one.

    Raises:
        ReplyError: no ECU gives one that parses.
    """
    whys = []
    for ecu in sorted({m.ecu for m in messages}):
        try:
            return _vin_of([m.payload for m in messages if m.ecu == ecu])
        except (VinError, UnicodeDecodeError) as error:
            whys.append(str(error))
    raise ReplyError(VIN_REQUEST, f"holds no VIN: {'; '.join(whys) or 'no answer'}"[:256])


def _vin_of(payloads: list[bytes]) -> str:
    whole = next((p for p in payloads if len(p) > LINE_BYTES), None)
    if whole is not None:
        data = whole[3:]
    else:
        lines = {p[2]: p[3:] for p in payloads if len(p) == LINE_BYTES}
        data = b"".join(lines[number] for number in sorted(lines))
    return check_vin(data.strip(b"\0 ")[:VIN_LENGTH].decode("ascii"))
