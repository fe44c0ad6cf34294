"""What stands behind a connection that fails, in words that say what to do. Pure."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_OWN_CLOCK: Final = "or this device's clock is wrong"

CERTIFICATES: Final[Mapping[int, str]] = {
    9: f"the broker's certificate is not valid yet: {_OWN_CLOCK}, or the broker's was when it was made",
    10: f"the broker's certificate has expired: renew it there, {_OWN_CLOCK}",
    18: "the broker's certificate is signed by itself: name it in [uplink] ca_file if it is the right one",
    19: "the broker's certificate comes from an authority that is not trusted: name it in [uplink] ca_file",
    20: "the broker's certificate comes from an unknown authority: name it in [uplink] ca_file",
    21: "the broker sends one certificate without those above it: it should send the whole chain",
    23: "the broker's certificate is revoked",
    62: "the broker's certificate is for another name: set [uplink] host to a name that it holds",
    64: "the broker's certificate is not for this address: set [uplink] host to a name that it holds",
}
"""By OpenSSL's verification code (X509_V_ERR_*)."""

ALERTS: Final[Mapping[str, str]] = {
    "CERTIFICATE_REQUIRED": "the broker asks for a certificate: set [uplink] cert_file and key_file",
    "HANDSHAKE_FAILURE": "the broker refuses the handshake; it may ask for a certificate (cert_file)",
    "UNKNOWN_CA": "the broker does not know who signed this device's certificate ([uplink] cert_file)",
    "CERTIFICATE_EXPIRED": "this device's certificate ([uplink] cert_file) has expired: give it a new one",
    "CERTIFICATE_REVOKED": "this device's certificate ([uplink] cert_file) is revoked: give it a new one",
    "BAD_CERTIFICATE": "the broker does not accept this device's certificate ([uplink] cert_file)",
    "CERTIFICATE_UNKNOWN": "the broker does not accept this device's certificate ([uplink] cert_file)",
    "WRONG_VERSION_NUMBER": "the broker speaks no TLS on this port: try 8883, or set [uplink] tls = false",
    "PROTOCOL_VERSION": "the broker and this device have no version of TLS in common",
}
"""By the end of OpenSSL's name for what was said, or heard, instead of a handshake."""

CLOSED: Final = (ConnectionError, ssl.SSLEOFError)
"""The other end closed, and did not say why."""
HANDSHAKE: Final = (
    "the connection was closed in the TLS handshake: does the broker speak TLS on this port? "
    "try 8883, or set [uplink] tls = false"
)
TURNED_AWAY: Final = (
    "the broker closed the connection before it answered: does it expect TLS on this port ([uplink] tls), "
    "or another protocol?"
)
TURNED_AWAY_TLS: Final = (
    "the broker closed the connection before it answered: it may ask for a certificate of this device "
    "([uplink] cert_file), or not accept that one's signer or dates; its log says which"
)
"""With TLS 1.3 a client learns only after the handshake that it is not let in, if it is told at all."""


def explain(error: OSError, host: str) -> str:
    """Why connecting to ``host`` failed, or why a connection broke."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return CERTIFICATES.get(
            error.verify_code, f"the broker's certificate fails its check: {error.verify_message}"
        )
    if isinstance(error, ssl.SSLError):
        name = error.reason or ""
        known = (words for end, words in ALERTS.items() if name.endswith(end))
        return next(known, f"TLS failed: {name.replace('_', ' ').lower() or error}")
    if isinstance(error, socket.gaierror):
        return f"the name {host} leads nowhere: check [uplink] host, and whether there is a network"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: check [uplink] port, and whether the broker runs"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "connection reset by the broker, or by something on the way"
    return error.strerror or str(error) or type(error).__name__
