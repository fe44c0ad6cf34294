"""Everything that the agent raises.

::

    AgentError
    +-- SourceError               a source of readings
    |   +-- SourceConfigError     a [[source]] table that cannot be used as it stands
    |   |   +-- ProfileError      a vehicle profile that cannot be used
    |   +-- ReplayFormatError     a replay file that is not what its format says
    |   +-- DatabrokerError       a databroker does not answer, refuses, or went away
    |   +-- PortError             the port to the adapter or bus does not open, or went away
    |   +-- AdapterError          the adapter is silent, or does not answer as an ELM327 does
    |   +-- ReplyError            a reply that does not hold what was asked for
    |   +-- ReadOnlyError         a request that would do more than read; it was not sent
    +-- EdgeStateError            saved counters that this version cannot take up
    +-- StoreError                the buffer file
    |   +-- StoreLockedError      another process has it
    |   +-- StoreDeviceError      it holds samples of another device
    |   +-- StoreForeignError     the file at its place is somebody else's
    |   +-- StoreFullError        no room for a commit; nothing of it was stored
    |   +-- StoreDamagedError     it is no buffer, or fails its check
    |   +-- StoreIoError          the disk or the file system refuses
    +-- LinkError                 no connection to the broker, or it was lost
    |   +-- PublishRefusedError   the broker does not take a message; the connection stays
    +-- ConfigError               a configuration that cannot be used
    +-- EntryError                an odometer reading or service, entered by hand, that is not taken
    +-- StatusError               no running agent answers on the status socket
    +-- SocketError               a socket for other processes of the machine cannot be made
    +-- MetricsError              the file of metrics cannot be written
"""

from __future__ import annotations


class AgentError(Exception):
    """Base of all errors of this package."""


class SourceError(AgentError):
    """Base of what goes wrong between the agent and a car."""


class SourceConfigError(SourceError):
    """A ``[[source]]`` table that cannot be used; ``setting`` names the key at fault."""

    def __init__(self, setting: str, why: str) -> None:
        super().__init__(f"[[source]] {setting}: {why}")
        self.setting = setting


class ProfileError(SourceConfigError):
    """A vehicle profile that cannot be used; ``place`` says where in it, "" for the whole."""

    def __init__(self, profile: str, place: str, why: str) -> None:
        super().__init__("profile", f"{profile}{', ' if place else ''}{place}: {why}")
        self.profile = profile
        self.place = place


class ReplayFormatError(SourceError):
    """A line of a replay file that cannot be read; the first line is 1."""

    def __init__(self, file: str, line: int, why: str) -> None:
        super().__init__(f"{file}, line {line}: {why}")
        self.file = file
        self.line = line


class DatabrokerError(SourceError):
    """The databroker at ``address`` cannot be read."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"databroker {address} {why}".replace("  ", " "))
        self.address = address


class PortError(SourceError):
    """The port to the adapter or bus does not open, or was lost."""

    def __init__(self, port: str, why: str) -> None:
        super().__init__(f"port {port}: {why}")
        self.port = port


class AdapterError(SourceError):
    """The adapter does not answer ``command`` as an ELM327 does."""

    def __init__(self, command: str, why: str) -> None:
        super().__init__(f"{command}: {why}")
        self.command = command


class ReplyError(SourceError):
    """A reply that does not hold what ``request`` asked for."""

    def __init__(self, request: str, why: str) -> None:
        super().__init__(f"reply to {request} {why}")
        self.request = request


class ReadOnlyError(SourceError):
    """``request`` (hex digits) might do more than read: a fault in the code, not in the car."""

    def __init__(self, request: str, why: str) -> None:
        super().__init__(f"{request} {why}; it was not sent")
        self.request = request


class EdgeStateError(AgentError):
    """Saved counters that this version cannot take up; ``part`` names the accumulator."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(
            f"saved counters of {part!r} {why}; start without them (counters begin anew, the buffer stays)"
        )
        self.part = part


class StoreError(AgentError):
    """Base of what goes wrong with the buffer file at ``path``."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"buffer {path}: {why}")
        self.path = path


class StoreLockedError(StoreError):
    """Another process, ``holder`` if it is known, has the buffer open."""

    def __init__(self, path: str, holder: str) -> None:
        super().__init__(
            path,
            f"in use by another agent (process {holder or 'unknown'}); stop that one, "
            "or give this one a [buffer] path of its own",
        )
        self.holder = holder


class StoreDeviceError(StoreError):
    """The buffer holds samples of ``holds``, not of the configured device."""

    def __init__(self, path: str, holds: str, device: str) -> None:
        super().__init__(
            path,
            f"holds samples of device {holds!r}, the configuration says {device!r}; "
            "set [device] id back, or name another [buffer] path",
        )
        self.holds = holds
        self.device = device


class StoreForeignError(StoreError):
    """The file at the buffer's place is ``what``, no buffer; it was not touched."""

    def __init__(self, path: str, what: str) -> None:
        super().__init__(
            path,
            f"is {what}, no buffer, and was left as it is; move it away, or name another [buffer] path",
        )
        self.what = what


class StoreFullError(StoreError):
    """There is no room for a commit: nothing of it was stored."""


class StoreDamagedError(StoreError):
    """The file is no buffer of this version, or fails its check."""


class StoreIoError(StoreError):
    """The disk or the file system refuses; whether it has the last commit is known after opening again."""


class LinkError(AgentError):
    """The connection to the broker at ``address`` cannot be had, or was lost."""

    def __init__(self, address: str, why: str) -> None:
        super().__init__(f"{address}: {why}")
        self.address = address


class PublishRefusedError(LinkError):
    """The broker refuses a message on ``topic`` and stays connected."""

    def __init__(self, address: str, topic: str, why: str) -> None:
        super().__init__(address, f"a message on {topic} is refused: {why}")
        self.topic = topic


class ConfigError(AgentError):
    """A configuration that cannot be used; ``key`` is the setting at fault, with its section."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"{key}: {why}")
        self.key = key


class StatusError(AgentError):
    """No running agent answers on ``socket``; ``is_absent``: none is there, as far as that can be told."""

    def __init__(self, socket: str, why: str, *, is_absent: bool = False) -> None:
        what = (
            "is `milepost-agent run` running with this config?"
            if is_absent
            else "one seems to be there: ask as its user or as root; if it hangs, start it anew"
        )
        super().__init__(f"no agent answers on {socket} ({why}); {what}")
        self.socket = socket
        self.is_absent = is_absent


class SocketError(AgentError):
    """The socket ``path``, which ``setting`` names, cannot be made."""

    def __init__(self, setting: str, path: str, why: str) -> None:
        super().__init__(
            f"socket {path}: {why}; let the agent's user write to its folder, or change {setting}"
        )
        self.setting = setting
        self.path = path


class MetricsError(AgentError):
    """The file of metrics cannot be written."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"metrics file {path}: {why}; let the agent write to its folder, or change [health] metrics_file"
        )
        self.path = path


class EntryError(AgentError):
    """An entry by hand that is not taken; ``reason`` is a stable word to count by."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
