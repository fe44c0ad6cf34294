"""The desired configuration of a device, read without a schema library: this runs on the device.

``device_schema.py`` says the same to servers and in the JSON Schema; a test holds the two together. Unlike
what a device sends, what it is told to do is refused whole where it holds anything that the device does not
know.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from milepost_protocol import limits
from milepost_protocol.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Scalar = bool | int | float | str

DOCUMENT_VERSION = 1
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}"
"""Names of profiles, and references to owners: no room for a person's name or mail address."""
SETTING_PATTERN = r"[a-z][a-z0-9_]{0,31}"
TEXT_PATTERN = r"[\x20-\x7e]{0,256}"
PATH_PATTERN = r"[A-Za-z][A-Za-z0-9_.]{0,127}"
DAY_MS = 86_400_000

_NAME = re.compile(NAME_PATTERN)
_SETTING = re.compile(SETTING_PATTERN)
_TEXT = re.compile(TEXT_PATTERN)
_PATH = re.compile(PATH_PATTERN)
_RULE_NUMBERS = ("deadband", "interval_s_min", "interval_s_max")


@dataclass(frozen=True, slots=True)
class Consent:
    """That ``owner`` (a reference, never a name) agrees, from ``granted_ms`` to before ``expires_ms``.

    Raises:
        DocumentError: it ends before it begins, or lasts longer than ``CONSENT_DAYS_MAX``.
    """

    owner: str
    granted_ms: int
    expires_ms: int

    def __post_init__(self) -> None:
        if not self.granted_ms < self.expires_ms <= self.granted_ms + limits.CONSENT_DAYS_MAX * DAY_MS:
            raise DocumentError(
                "consent", f"must end after it begins, and after at most {limits.CONSENT_DAYS_MAX} days"
            )


@dataclass(frozen=True, slots=True)
class Profile:
    """A collection profile: sampling rules by signal, and the owner's consent to them.

    A rule has some of ``deadband`` (in the signal's unit), ``interval_s_min``, ``interval_s_max``, ``every``.
    """

    name: str
    rules: Mapping[str, Mapping[str, float | bool]]
    consent: Consent


@dataclass(frozen=True, slots=True)
class Desired:
    """Settings over those of the device's own file, by section and name; and at most one profile."""

    revision: int
    settings: Mapping[str, Mapping[str, Scalar]]
    profile: Profile | None


def read_desired(payload: bytes) -> Desired:
    """Read a config document. Which settings and signals exist is for the device to say.

    Raises:
        DocumentError: too long, no JSON, of another version, or not what the schema says.
    """
    if len(payload) > limits.DOCUMENT_BYTES_MAX:
        raise DocumentError("", f"{len(payload)} bytes; at most {limits.DOCUMENT_BYTES_MAX}")
    try:
        document = json.loads(payload.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise DocumentError("", f"is no JSON: {error}") from error
    revision = _readable_revision(document)
    try:
        return _desired(document)
    except DocumentError as error:
        error.revision = revision
        raise


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _readable_revision(document: Any) -> int | None:
    revision = document.get("revision") if isinstance(document, dict) else None
    return revision if _is_whole(revision, 1, limits.REVISION_MAX) else None


def _desired(document: Any) -> Desired:
    _table(document, "document", required=("version", "revision"), allowed=("settings", "profile"))
    if document["version"] != DOCUMENT_VERSION or not _is_whole(document["version"]):
        raise DocumentError("version", f"is not {DOCUMENT_VERSION}; a newer agent may know it")
    if not _is_whole(document["revision"], 1, limits.REVISION_MAX):
        raise DocumentError("revision", f"must be a whole number from 1 to {limits.REVISION_MAX}")
    sections = _map(document.get("settings", {}), "settings", limits.SECTIONS_MAX, _SETTING)
    profile = document.get("profile")
    return Desired(
        revision=document["revision"],
        settings={name: _section(name, table) for name, table in sections.items()},
        profile=None if profile is None else _profile(profile),
    )


def _section(name: str, table: Any) -> dict[str, Scalar]:
    where = f"settings.{name}"
    for key, value in _map(table, where, limits.SETTINGS_MAX, _SETTING).items():
        if not _is_scalar(value):
            raise DocumentError(f"{where}.{key}", "must be true, false, a number or a short line of ASCII")
    return dict(table)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, bool):
        return True
    if isinstance(value, str):
        return _TEXT.fullmatch(value) is not None
    return isinstance(value, int | float) and abs(value) <= limits.INTEGER_MAX


def _profile(table: Any) -> Profile:
    _table(table, "profile", required=("name", "rules", "consent"))
    check_name(table["name"], "profile.name")
    rules = _map(table["rules"], "profile.rules", limits.PROFILE_SIGNALS_MAX, _PATH)
    if not rules:
        raise DocumentError("profile.rules", "name no signal; leave the profile out")
    checked = {signal: _rule(f"profile.rules.{signal}", rule) for signal, rule in rules.items()}
    return Profile(table["name"], checked, _consent(table["consent"]))


def _rule(where: str, rule: Any) -> dict[str, float | bool]:
    _table(rule, where, allowed=(*_RULE_NUMBERS, "every"))
    for name in _RULE_NUMBERS:
        value = rule.get(name, 0)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= limits.RULE_NUMBER_MAX:
            raise DocumentError(f"{where}.{name}", f"must be a number from 0 to {limits.RULE_NUMBER_MAX}")
    if not isinstance(rule.get("every", False), bool):
        raise DocumentError(f"{where}.every", "must be true or false")
    return dict(rule)


def _consent(table: Any) -> Consent:
    _table(table, "profile.consent", required=("owner", "granted_ms", "expires_ms"))
    check_name(table["owner"], "profile.consent.owner")
    for name in ("granted_ms", "expires_ms"):
        if not _is_whole(table[name], 0, limits.TIME_MS_MAX):
            raise DocumentError(f"profile.consent.{name}", "must be milliseconds since 1970")
    return Consent(table["owner"], table["granted_ms"], table["expires_ms"])


def _table(value: Any, where: str, *, required: tuple[str, ...] = (), allowed: tuple[str, ...] = ()) -> None:
    if not isinstance(value, dict):
        raise DocumentError(where, "must be an object")
    for name in required:
        if name not in value:
            raise DocumentError(where, f"{name} is missing")
    for name in value:
        if name not in (*required, *allowed):
            raise DocumentError(where, f"has no {name[:64]!r}; there are {', '.join((*required, *allowed))}")


def _map(value: Any, where: str, entries_max: int, key: re.Pattern[str]) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > entries_max:
        raise DocumentError(where, f"must be an object of at most {entries_max} entries")
    for name in value:
        if not key.fullmatch(name):
            raise DocumentError(where, f"{name[:64]!r} is no name that it can have")
    return value


def check_name(value: Any, where: str) -> None:
    """Check the name of a profile or the reference to an owner.

    Raises:
        DocumentError: it is none.
    """
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise DocumentError(where, "must be 1 to 64 letters, digits and _ . : -")


def _is_whole(value: Any, low: int = 0, high: int = limits.INTEGER_MAX) -> bool:
    return type(value) is int and low <= value <= high
