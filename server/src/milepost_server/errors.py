"""Everything that the server's own rooms raise; payload errors are those of ``milepost_protocol.errors``.

::

    ServerError
    +-- SettingsError         a setting that does not exist, or has a value that it cannot have
    +-- InstallError          the data directory is not what the command expects
    +-- NotFoundError         a row that the dealer does not have
    +-- ConflictError         a row that exists already
    +-- TenancyError          a statement that forgot the dealer: a defect, never a user's mistake
    +-- StoreVersionError     the database is at another revision than this version of the server
    +-- StoreBusyError        another process kept the database locked for too long
    +-- BrokerError           the embedded broker does not start, or does not stay up
    +-- ConfigRefusedError    a desired configuration that no device may be told
    +-- ReplayRefusedError    a quarantined payload that still cannot be understood
"""

from __future__ import annotations


class ServerError(Exception):
    """Base of all errors of the server; its message says what to do."""


class SettingsError(ServerError):
    """A setting that does not exist, or has a value that it cannot have."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(f"setting {key}: {why}")
        self.key = key


class InstallError(ServerError):
    """The data directory is not what the command expects."""


class NotFoundError(ServerError):
    """A row that the dealer does not have."""

    def __init__(self, noun: str, key: object) -> None:
        super().__init__(f"there is no {noun} {key!r}")
        self.noun = noun
        self.key = key


class ConflictError(ServerError):
    """A row that exists already, or that contradicts one that does."""

    def __init__(self, noun: str, key: object, why: str) -> None:
        super().__init__(f"{noun} {key!r}: {why}")
        self.noun = noun
        self.key = key


class TenancyError(ServerError):
    """A statement on a tenant table that does not say which dealer it is for."""

    def __init__(self, table: str, why: str) -> None:
        super().__init__(
            f"a statement on {table} {why}; give the dealer, or say why it spans dealers: "
            ".execution_options(across_dealers='...')"
        )
        self.table = table


class StoreVersionError(ServerError):
    """The database is at another revision than this version of the server."""

    def __init__(self, found: str | None, expected: str) -> None:
        super().__init__(
            f"the database is at revision {found or 'none'}, this server needs {expected}; "
            "run `milepost-server migrate`"
        )
        self.found = found
        self.expected = expected


class StoreBusyError(ServerError):
    """Another process kept the database locked for too long."""

    def __init__(self, path: str, waited_s: float) -> None:
        super().__init__(
            f"another process has held {path} for {waited_s:g} s; "
            "look for a command that hangs, or use PostgreSQL"
        )
        self.path = path
        self.waited_s = waited_s


class BrokerError(ServerError):
    """The embedded broker does not start, or does not stay up."""


class ConfigRefusedError(ServerError):
    """A desired configuration that the schema, or the device's own word, does not allow."""


class ReplayRefusedError(ServerError):
    """A quarantined payload that still cannot be understood; it stays held."""

    def __init__(self, quarantine_id: int, reason: str, detail: str) -> None:
        super().__init__(f"payload {quarantine_id} still cannot be taken in ({reason}): {detail}")
        self.quarantine_id = quarantine_id
        self.reason = reason
