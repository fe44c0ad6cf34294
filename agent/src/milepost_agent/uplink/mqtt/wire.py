"""The bytes of MQTT: numbers, strings, lengths and the properties of version 5. Pure.

Source: the OASIS standards MQTT 3.1.1 (chapter 1.5) and MQTT 5.0 (chapters 1.5 and 2.2.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXT_BYTES_MAX: Final = 0xFFFF
LENGTH_BYTES_MAX: Final = 4
"""Of a variable length, which so ends at 268,435,455."""


class PacketError(Exception):
    """What came from the broker is no MQTT."""


class Property(NamedTuple):
    """One property of version 5: its name here, and how it is written."""

    name: str
    kind: str


PROPERTIES: Final[Mapping[int, Property]] = {
    0x01: Property("payload_format", "byte"),
    0x02: Property("message_expiry_s", "four"),
    0x03: Property("content_type", "text"),
    0x08: Property("response_topic", "text"),
    0x09: Property("correlation_data", "binary"),
    0x0B: Property("subscription_id", "length"),
    0x11: Property("session_expiry_s", "four"),
    0x12: Property("assigned_client_id", "text"),
    0x13: Property("keepalive_s", "two"),
    0x15: Property("authentication_method", "text"),
    0x16: Property("authentication_data", "binary"),
    0x17: Property("request_problem_information", "byte"),
    0x18: Property("will_delay_s", "four"),
    0x19: Property("request_response_information", "byte"),
    0x1A: Property("response_information", "text"),
    0x1C: Property("server_reference", "text"),
    0x1F: Property("reason", "text"),
    0x21: Property("receive_maximum", "two"),
    0x22: Property("topic_alias_maximum", "two"),
    0x23: Property("topic_alias", "two"),
    0x24: Property("maximum_qos", "byte"),
    0x25: Property("is_retain_available", "byte"),
    0x26: Property("user_property", "pair"),
    0x27: Property("maximum_packet_bytes", "four"),
    0x28: Property("has_wildcards", "byte"),
    0x29: Property("has_subscription_ids", "byte"),
    0x2A: Property("has_shared_subscriptions", "byte"),
}
WIDTHS: Final[Mapping[str, int]] = {"byte": 1, "two": 2, "four": 4}


def number(value: int, width: int) -> bytes:
    """A number of so many bytes, big-endian."""
    return value.to_bytes(width, "big")


def text(value: str) -> bytes:
    """A string with its length before it."""
    return binary(value.encode())


def binary(value: bytes) -> bytes:
    """Bytes with their number before them."""
    return number(len(value), 2) + value


def length(value: int) -> bytes:
    """A variable length: seven bits a byte, the lowest first."""
    encoded = bytearray()
    while True:
        value, low = divmod(value, 0x80)
        encoded.append(low | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


def properties(numbers: Mapping[str, int]) -> bytes:
    """A block of properties, all of them numbers, with its length before it."""
    known = {
        entry.name: (code, WIDTHS[entry.kind]) for code, entry in PROPERTIES.items() if entry.kind in WIDTHS
    }
    body = bytearray()
    for name, value in numbers.items():
        code, width = known[name]
        body += bytes([code]) + number(value, width)
    return length(len(body)) + bytes(body)


class Body:
    """Reads the body of one packet from its beginning to its end.

    Raises:
        PacketError: from each method, where the body ends too early or holds what it cannot.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """Bytes that were not read."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if count > self.left:
            raise PacketError(f"a packet ends {count - self.left} bytes too early")
        self._at += count
        return self._data[self._at - count : self._at]

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)

    def number(self, width: int) -> int:
        """A number of so many bytes."""
        return int.from_bytes(self.take(width), "big")

    def binary(self) -> bytes:
        """Bytes with their number before them."""
        return self.take(self.number(2))

    def text(self) -> str:
        """A string."""
        try:
            return self.binary().decode()
        except UnicodeDecodeError as error:
            raise PacketError(f"a string is no UTF-8: {error}") from error

    def length(self) -> int:
        """A variable length."""
        value = 0
        for place in range(LENGTH_BYTES_MAX):
            byte = self.number(1)
            value |= (byte & 0x7F) << 7 * place
            if not byte & 0x80:
                return value
        raise PacketError("a length of more than four bytes")

    def properties(self) -> dict[str, int | str]:
        """The numbers and strings among the properties; others are passed over."""
        block = Body(self.take(self.length()))
        found: dict[str, int | str] = {}
        while block.left:
            code = block.length()
            entry = PROPERTIES.get(code)
            if entry is None:
                raise PacketError(f"there is no property 0x{code:02x}")
            if entry.kind in WIDTHS:
                found[entry.name] = block.number(WIDTHS[entry.kind])
            elif entry.kind == "text":
                found[entry.name] = block.text()
            elif entry.kind == "binary":
                block.binary()
            elif entry.kind == "length":
                block.length()
            else:
                block.text()
                block.text()
        return found
