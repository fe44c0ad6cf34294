"""The packets of MQTT 3.1.1 and 5 that a device with QoS 0 and 1 sends and gets, as bytes and back. Pure.

Source: the OASIS standards MQTT 3.1.1 and MQTT 5.0, chapter 3 of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from milepost_agent.uplink.mqtt import wire
from milepost_agent.uplink.mqtt.wire import Body, PacketError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from milepost_agent.uplink.link import Subscription, Will

V311: Final = 4
V5: Final = 5
"""The numbers by which a CONNECT names its version."""

INCOMING_BYTES_MAX: Final = 64 * 1024
"""A packet from the broker: receipts take at most 280 bytes, documents 16 KiB.

Of a longer message so much is given out, which is too long for whoever reads it, and the rest is passed over:
a broker sends one that it retains again and again, and that must not end each connection.
"""
INCOMING_IN_FLIGHT_MAX: Final = 16
"""Messages with QoS 1 that the broker may send before the first is acknowledged; version 5 tells it."""

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = (
    1, 2, 3, 4, 8, 9, 12, 13, 14,
)  # fmt: skip
_FROM_BROKER: Final = {kind << 4 for kind in (CONNACK, PUBACK, SUBACK, PINGRESP, DISCONNECT)}
"""The first bytes of packets without flags."""
_CLEAN: Final = 0x02
_WILL: Final = 0x04
_WILL_QOS_1: Final = 0x08
_WILL_RETAINED: Final = 0x20
_PASSWORD: Final = 0x40
_USER: Final = 0x80

PING: Final = bytes([PINGREQ << 4, 0])
FAREWELL: Final = bytes([DISCONNECT << 4, 0])
"""The same in both versions: a normal end, so that no will is published."""


class Login(NamedTuple):
    """Who connects, and how."""

    client_id: str
    password: str | None
    keepalive_s: int
    will: Will | None


class Connack(NamedTuple):
    """The broker's answer to CONNECT; ``code`` 0: let in."""

    code: int
    properties: Mapping[str, int | str]


class Publish(NamedTuple):
    """A message from the broker; ``packet_id`` is None with QoS 0."""

    topic: str
    payload: bytes
    is_retained: bool
    packet_id: int | None


class Puback(NamedTuple):
    """The broker took a message (``code`` below 0x80), or refuses it."""

    packet_id: int
    code: int
    reason: str


class Suback(NamedTuple):
    """What became of each subscription: the granted QoS, or a code from 0x80 on."""

    packet_id: int
    codes: Sequence[int]


class Pong(NamedTuple):
    """The answer to a ping."""


class Goodbye(NamedTuple):
    """The broker ends the connection (version 5 only)."""

    code: int
    reason: str


Packet = Connack | Publish | Puback | Suback | Pong | Goodbye


def connect(version: int, login: Login) -> bytes:
    """CONNECT for a clean session, which in version 5 also ends with the connection."""
    flags = _CLEAN
    payload = wire.text(login.client_id)
    if login.will is not None:
        flags |= _WILL | _WILL_QOS_1 | _WILL_RETAINED
        payload += _properties(version) + wire.text(login.will.topic) + wire.binary(login.will.payload)
    if login.password is not None:
        flags |= _USER | _PASSWORD
        payload += wire.text(login.client_id) + wire.text(login.password)
    asked = {
        "session_expiry_s": 0,
        "receive_maximum": INCOMING_IN_FLIGHT_MAX,
        "maximum_packet_bytes": INCOMING_BYTES_MAX,
    }
    head = wire.text("MQTT") + bytes([version, flags]) + wire.number(login.keepalive_s, 2)
    return _packet(CONNECT, 0, head + _properties(version, asked) + payload)


def publish(version: int, message: Publish) -> bytes:
    """PUBLISH, with QoS 1 where it has a ``packet_id``."""
    has_id = message.packet_id is not None
    head = wire.text(message.topic)
    if message.packet_id is not None:
        head += wire.number(message.packet_id, 2)
    flags = (0x02 if has_id else 0) | (0x01 if message.is_retained else 0)
    return _packet(PUBLISH, flags, head + _properties(version) + message.payload)


def subscribe(version: int, packet_id: int, subscriptions: Sequence[Subscription]) -> bytes:
    """SUBSCRIBE to all of them at once."""
    asked = b"".join(wire.text(entry.topic) + bytes([entry.qos]) for entry in subscriptions)
    return _packet(SUBSCRIBE, 0x02, wire.number(packet_id, 2) + _properties(version) + asked)


def puback(packet_id: int) -> bytes:
    """PUBACK of success."""
    return _packet(PUBACK, 0, wire.number(packet_id, 2))


def _properties(version: int, numbers: Mapping[str, int] | None = None) -> bytes:
    return wire.properties(numbers or {}) if version == V5 else b""


def _packet(kind: int, flags: int, body: bytes) -> bytes:
    return bytes([kind << 4 | flags]) + wire.length(len(body)) + body


class Parser:
    """Makes packets out of what the network brings, however it is cut."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._data = bytearray()
        self._pass_over_bytes = 0

    def feed(self, data: bytes) -> Iterator[Packet]:
        """The packets that are complete with ``data``.

        Raises:
            PacketError: it is no MQTT of this version, or larger than it may be; the stream is of no use.
        """
        self._data += data
        self._pass_over()
        while (size := self._head()) is not None:
            head_bytes, body_bytes = size
            end = head_bytes + min(body_bytes, INCOMING_BYTES_MAX)
            if len(self._data) < end:
                return
            first, body = self._data[0], bytes(self._data[head_bytes:end])
            del self._data[:end]
            self._pass_over_bytes = head_bytes + body_bytes - end
            self._pass_over()
            yield _decode(self._version, first >> 4, first & 0x0F, Body(body))

    def _pass_over(self) -> None:
        count = min(self._pass_over_bytes, len(self._data))
        del self._data[:count]
        self._pass_over_bytes -= count

    def _head(self) -> tuple[int, int] | None:
        """Bytes of the next packet's fixed header and of its body, None while they are not known."""
        if self._data and self._data[0] >> 4 != PUBLISH and self._data[0] not in _FROM_BROKER:
            raise PacketError(f"a packet that begins with 0x{self._data[0]:02x}, which no broker sends to it")
        for place in range(1, 1 + wire.LENGTH_BYTES_MAX):
            if len(self._data) <= place:
                return None
            if not self._data[place] & 0x80:
                body_bytes = Body(bytes(self._data[1 : place + 1])).length()
                if body_bytes > INCOMING_BYTES_MAX and self._data[0] >> 4 != PUBLISH:
                    raise PacketError(
                        f"a packet of {body_bytes} bytes; at most {INCOMING_BYTES_MAX} are read"
                    )
                return place + 1, body_bytes
        raise PacketError("a length of more than four bytes")


def _decode(version: int, kind: int, flags: int, body: Body) -> Packet:
    if kind == PUBLISH:
        return _publish(version, flags, body)
    if kind == PUBACK:
        packet_id, code = body.number(2), body.number(1) if body.left else 0
        return Puback(packet_id, code, _reason(body))
    if kind == SUBACK:
        packet_id = body.number(2)
        _ = body.properties() if version == V5 else None
        return Suback(packet_id, tuple(body.rest()))
    if kind == PINGRESP:
        return Pong()
    if kind == CONNACK:
        body.take(1)  # whether a session was there: never in a clean one
        code = body.number(1)
        # A broker that does not know version 5 answers as in 3.1.1, without properties.
        return Connack(code, body.properties() if body.left else {})
    if kind == DISCONNECT and version == V5:
        return Goodbye(body.number(1) if body.left else 0, _reason(body))
    raise PacketError("a farewell of the broker, which version 3.1.1 does not have")


def _publish(version: int, flags: int, body: Body) -> Publish:
    qos = flags >> 1 & 0x03
    if qos > 1:
        raise PacketError(f"a message with QoS {qos}; at most 1 is subscribed")
    topic = body.text()
    packet_id = body.number(2) if qos else None
    if version == V5:
        body.properties()
    return Publish(topic, body.rest(), bool(flags & 0x01), packet_id)


def _reason(body: Body) -> str:
    return str(body.properties().get("reason", "")) if body.left else ""
