"""Trouble codes of services 03, 07 and 0A (SAE J1979, J2012). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_agent.errors import ReplyError
from milepost_agent.sources.obd.messages import Framing

if TYPE_CHECKING:
    from milepost_agent.sources.obd.messages import Message

SYSTEMS: Final = "PCBU"


def decode_dtc(high: int, low: int) -> str:
    """The code in two bytes, such as P0301: system, then four digits of which the first is 0 to 3."""
    return f"{SYSTEMS[high >> 6]}{(high >> 4) & 0x3}{high & 0x0F:X}{low:02X}"


def decode_dtcs(message: Message) -> frozenset[str]:
    """The codes in an answer to 03, 07 or 0A.

    On CAN a count comes first, elsewhere there are just pairs of bytes, padded with 0000. Without headers the
    bus is not known, but the parity of the length tells the two apart.

    Raises:
        ReplyError: half a code, or not as many codes as the count says (padding is none).
    """
    request = f"{message.payload[0] - 0x40:02X}"
    has_count = len(message.payload) % 2 == 0
    if has_count if message.framing is Framing.LEGACY else message.framing is Framing.CAN and not has_count:
        raise ReplyError(request, f"holds half a trouble code: {message.payload.hex()}")
    pairs = message.payload[2:] if has_count else message.payload[1:]
    counted = 2 * message.payload[1] if has_count else len(pairs)
    if counted > len(pairs) or any(pairs[counted:]):
        raise ReplyError(request, f"says {counted // 2} trouble codes and holds {len(pairs) // 2}")
    codes = zip(pairs[::2], pairs[1::2], strict=True)
    return frozenset(decode_dtc(high, low) for high, low in codes if high or low)
