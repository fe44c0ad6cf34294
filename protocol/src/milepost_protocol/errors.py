"""Everything that the protocol raises.

::

    ProtocolError
    +-- FrameError              the first bytes are no Milepost frame
    +-- UnsupportedVersionError a frame of a later major version
    +-- EncodingError           the body does not unpack: unknown encoding, broken, or over a limit
    +-- BodyError               the body unpacks, but is not what the schema says
    +-- LimitError              what was to be encoded is over a limit of the wire
    +-- DocumentError           a state, config or reported document that is not what the schema says
    +-- TopicError              a topic, device id or epoch that is not one of ours
    +-- VinError                a VIN that does not parse
    +-- UnknownSignalError      a path that the catalogue does not have
    +-- ValueRefusedError       a value that the signal cannot have
"""

from __future__ import annotations


class ProtocolError(Exception):
    """Base of all errors of this package; ``reason`` is a stable word to count by."""

    reason = "protocol"


class FrameError(ProtocolError):
    """The payload does not begin with a readable Milepost header."""

    reason = "frame"


class UnsupportedVersionError(ProtocolError):
    """The header is readable, the body is of a major version that this code does not know."""

    reason = "version"

    def __init__(self, major: int, supported: int) -> None:
        super().__init__(
            f"protocol version {major} is newer than {supported}, which this side reads; "
            "upgrade it, then replay the payload"
        )
        self.major = major
        self.supported = supported


class EncodingError(ProtocolError):
    """The body cannot be unpacked: an unknown encoding, damaged, or larger than the limit."""

    reason = "encoding"


class BodyError(ProtocolError):
    """The body unpacks but breaks the schema; the message names the field."""

    reason = "body"


class DocumentError(ProtocolError):
    """A state, config or reported document that cannot be used; ``revision`` where it says a readable one."""

    reason = "document"

    def __init__(self, where: str, why: str, revision: int | None = None) -> None:
        super().__init__(f"{where}: {why}" if where else why)
        self.where = where
        self.revision = revision


class LimitError(ProtocolError):
    """What was to be encoded is larger than the wire allows; cut it smaller."""

    reason = "limit"


class TopicError(ProtocolError):
    """A topic, device id or epoch that does not have the form it must have."""

    reason = "topic"


class VinError(ProtocolError):
    """A vehicle identification number that does not parse."""

    reason = "vin"

    def __init__(self, vin: str, why: str) -> None:
        super().__init__(f"VIN {vin[:32]!r} {why}; a VIN has 17 letters and digits without I, O and Q")
        self.vin = vin


class UnknownSignalError(ProtocolError):
    """A signal path that the catalogue does not have."""

    reason = "unknown-signal"

    def __init__(self, path: str) -> None:
        super().__init__(f"the catalogue has no signal {path[:128]!r}; see docs/protocol/signals.md")
        self.path = path


class ValueRefusedError(ProtocolError):
    """A value that a signal cannot have: another type, or outside the bounds of physics."""

    reason = "value"

    def __init__(self, path: str, value: object, why: str) -> None:
        super().__init__(f"{path}: {str(value)[:64]!r} {why}")
        self.path = path
        self.value = value
