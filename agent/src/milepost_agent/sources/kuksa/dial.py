"""Where a databroker is, and what it is shown: certificates and a token, read anew for each connection."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from milepost_agent.errors import SourceConfigError

if TYPE_CHECKING:
    from pathlib import Path

FILE_BYTES_MAX: Final = 256 * 1024
LOOPBACK: Final = ("127.0.0.1", "[::1]", "localhost")


@dataclass(frozen=True, slots=True)
class Dial:
    """The settings of a connection; without ``ca_file`` it is not encrypted."""

    address: str
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str = ""
    token_file: Path | None = None

    def check(self) -> None:
        """Make sure that a connection can be tried.

        Raises:
            SourceConfigError: it cannot, and why.
        """
        host, _, port = self.address.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise SourceConfigError("address", f"{self.address!r} should be host:port")
        if bool(self.cert_file) != bool(self.key_file):
            raise SourceConfigError("cert_file", "and key_file belong together: give both or none")
        is_open = not self.ca_file and host not in LOOPBACK
        if (self.cert_file and not self.ca_file) or (self.token_file and is_open):
            raise SourceConfigError(
                "ca_file", "is missing: without it, a certificate or token would go over an open connection"
            )
        self.certificates()
        self.token()

    def certificates(self) -> tuple[bytes, bytes | None, bytes | None] | None:
        """What is trusted, the key and the certificate (PEM); ``None`` without encryption.

        Raises:
            SourceConfigError: a file cannot be read.
        """
        if self.ca_file is None:
            return None
        key = _read("key_file", self.key_file) if self.key_file else None
        certificate = _read("cert_file", self.cert_file) if self.cert_file else None
        return _read("ca_file", self.ca_file), key, certificate

    def token(self) -> str:
        """The token, "" for none.

        Raises:
            SourceConfigError: the file cannot be read, or others can read it.
        """
        if self.token_file is None:
            return ""
        text = _read("token_file", self.token_file).decode("ascii", "replace").strip()
        if stat.S_IMODE(self.token_file.stat().st_mode) & 0o077:
            raise SourceConfigError("token_file", f"others can read it; run: chmod 600 {self.token_file}")
        if not text or not text.isprintable() or " " in text:
            raise SourceConfigError("token_file", f"{self.token_file} must hold the token alone, in one line")
        return text


def _read(setting: str, file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(FILE_BYTES_MAX)
    except OSError as error:
        raise SourceConfigError(setting, f"{file} cannot be read: {error.strerror}") from error
