"""Certificates made by openssl for one test: an authority, brokers and devices."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Certificate(NamedTuple):
    """A certificate and its key, PEM."""

    cert: Path
    key: Path


class Authority:
    """Signs certificates; all its files lie in ``folder``."""

    def __init__(self, folder: Path, name: str = "Test authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.own = Certificate(folder / "ca.pem", folder / "ca.key")
        _openssl(
            "req", "-x509", *NEW_KEY, "-days", "2", "-subj", f"/CN={name}",
            "-out", str(self.own.cert), "-keyout", str(self.own.key),
        )  # fmt: skip

    def sign(self, name: str, *, hosts: str = "", days: int = 2) -> Certificate:
        """A certificate for ``name`` and ``hosts`` (``DNS:a,IP:127.0.0.1``); expired with ``days`` < 0."""
        made = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={hosts}\n" if hosts else "basicConstraints=CA:FALSE\n")
        _openssl("req", *NEW_KEY, "-subj", f"/CN={name}", "-out", str(request), "-keyout", str(made.key))
        _openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.own.cert), "-CAkey", str(self.own.key),
            "-CAcreateserial", "-days", str(days), "-extfile", str(extensions), "-out", str(made.cert),
        )  # fmt: skip
        return made


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
