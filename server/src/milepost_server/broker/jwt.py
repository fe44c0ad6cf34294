"""The JSON web tokens of NATS's auth callout, signed with an account key (described in ADR-26 of NATS)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import nkeys

CLAIMS_VERSION = 2
REQUEST_BYTES_MAX = 16 * 1024


class CalloutRequestError(Exception):
    """What came over the callout subject is not a request of the broker."""


@dataclass(frozen=True, slots=True)
class CalloutRequest:
    """What the broker asks about one connecting client."""

    server_id: str
    user_nkey: str
    kind: str
    client_id: str
    user: str
    password: str


def read_request(token: bytes) -> CalloutRequest:
    """Read a request. Its signature is not checked: the subject is open to the broker alone.

    Raises:
        CalloutRequestError: not a request token.
    """
    if len(token) > REQUEST_BYTES_MAX:
        raise CalloutRequestError(f"{len(token)} bytes are over the limit of {REQUEST_BYTES_MAX}")
    try:
        body = token.split(b".")[1]
        claims = json.loads(base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4)))["nats"]
        options = claims["connect_opts"]
        client = claims.get("client_info", {})
        return CalloutRequest(
            server_id=str(claims["server_id"]["id"]),
            user_nkey=str(claims["user_nkey"]),
            kind=str(client.get("type", "")),
            client_id=str(client.get("mqtt_id", "")),
            user=str(options.get("user", "")),
            password=str(options.get("pass", "")),
        )
    except (IndexError, KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise CalloutRequestError(f"not an authorization request: {error!r}") from error


def grant(
    key: nkeys.KeyPair,
    request: CalloutRequest,
    *,
    account: str,
    publish: list[str],
    subscribe: list[str],
    now_s: int,
) -> bytes:
    """The answer that lets the client in as a user of ``account`` with just these subjects."""
    user = {
        "type": "user",
        "version": CLAIMS_VERSION,
        "pub": {"allow": publish},
        "sub": {"allow": subscribe},
        "subs": -1,
        "data": -1,
        "payload": -1,
        "allowed_connection_types": ["MQTT"],
    }
    token = _sign(key, {"sub": request.user_nkey, "aud": account, "name": request.user, "nats": user}, now_s)
    return _answer(key, request, {"jwt": token}, now_s)


def refuse(key: nkeys.KeyPair, request: CalloutRequest, why: str, now_s: int) -> bytes:
    """The answer that keeps the client out; ``why`` goes to the broker's log only."""
    return _answer(key, request, {"error": why}, now_s)


def _answer(key: nkeys.KeyPair, request: CalloutRequest, nats: dict[str, Any], now_s: int) -> bytes:
    nats = {**nats, "type": "authorization_response", "version": CLAIMS_VERSION}
    return _sign(key, {"sub": request.user_nkey, "aud": request.server_id, "nats": nats}, now_s).encode()


def _sign(key: nkeys.KeyPair, claims: dict[str, Any], now_s: int) -> str:
    claims = {"iss": key.public_key.decode(), "iat": now_s, **claims}
    claims["jti"] = hashlib.sha256(json.dumps(claims, sort_keys=True).encode()).hexdigest()
    head = {"typ": "JWT", "alg": "ed25519-nkey"}
    signed = ".".join(_encode(json.dumps(part).encode()) for part in (head, claims))
    return f"{signed}.{_encode(key.sign(signed.encode()))}"


def _encode(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
