"""The schema of state, config and reported documents, version 1, as pydantic models.

What a device sends may have fields that are not listed, as batches may. What it is told to do may not: a
misspelt limit must not be taken for none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from milepost_protocol import limits
from milepost_protocol.desired import (
    DAY_MS,
    DOCUMENT_VERSION,
    NAME_PATTERN,
    PATH_PATTERN,
    SETTING_PATTERN,
    TEXT_PATTERN,
    read_desired,
)
from milepost_protocol.errors import DocumentError
from milepost_protocol.identity import DEVICE_ID_PATTERN, EPOCH_PATTERN

Document = TypeVar("Document")
DeviceId = Annotated[str, Field(pattern=f"^{DEVICE_ID_PATTERN}$")]
Version = Annotated[
    int, Field(ge=DOCUMENT_VERSION, le=DOCUMENT_VERSION, description="Version of this kind of document.")
]
Digits = Annotated[str, Field(pattern=f"^{EPOCH_PATTERN}$")]
Name = Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+:-]{1,64}$")]
SettingName = Annotated[str, Field(pattern=f"^{SETTING_PATTERN}$")]
Path = Annotated[str, Field(pattern=f"^{PATH_PATTERN}$")]
TimeMs = Annotated[int, Field(ge=0, le=limits.TIME_MS_MAX)]
Revision = Annotated[int, Field(ge=1, le=limits.REVISION_MAX)]
Scalar = (
    bool
    | Annotated[int, Field(ge=-limits.INTEGER_MAX, le=limits.INTEGER_MAX)]
    | Annotated[float, Field(ge=-limits.INTEGER_MAX, le=limits.INTEGER_MAX)]
    | Annotated[str, Field(pattern=f"^{TEXT_PATTERN}$")]
)
Section = Annotated[dict[SettingName, Scalar], Field(max_length=limits.SETTINGS_MAX)]
Sections = Annotated[dict[SettingName, Section], Field(max_length=limits.SECTIONS_MAX)]
Signals = Annotated[tuple[Path, ...], Field(max_length=limits.DOCUMENT_SIGNALS_MAX)]
RuleNumber = Annotated[float, Field(ge=0, le=limits.RULE_NUMBER_MAX)]


class _Said(BaseModel):
    """What a device says: fields that this version does not know are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)


class _Told(BaseModel):
    """What a device is told: nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class WireBirth(_Said):
    """The device is there: published after each connect, and again when something in it changes."""

    version: Version
    device: DeviceId
    online: Literal[True]
    run: Digits = Field(description="Random for each start of the agent.")
    connection: int = Field(
        ge=1, le=limits.REVISION_MAX, description="Connections of this run, this included."
    )
    agent: Word = Field(description="Version of the agent.")
    protocol: int = Field(ge=1, le=255, description="Major version of the wire.")
    vss: Word = Field(description="Version of VSS that its catalogue follows.")
    epoch: Digits | Literal[""] = Field(description="Epoch of its buffer; empty while that is not open.")
    catalogue: Digits = Field(description="Digest of the signal catalogue that it knows.")
    signals: Signals = Field(description="What its sampling rules let pass, if a source reads it.")
    sources: tuple[Word, ...] = Field(
        max_length=limits.DOCUMENT_SOURCES_MAX, description="Kinds of its sources."
    )
    clock: Word = Field(description="Trust in its time: synced, rtc or untrusted.")
    at_ms: TimeMs = Field(description="Now, by its clock.")
    started_ms: TimeMs = Field(description="When the agent started, by its clock.")
    boot: Word = Field(description="Names one life of the machine.")
    revision: Revision | None = Field(description="Of the desired configuration in force; null: none.")


class WireFarewell(_Said):
    """The end of a connection: the last will, or the device's own word."""

    version: Version
    device: DeviceId
    online: Literal[False]
    run: Digits
    connection: int = Field(ge=1, le=limits.REVISION_MAX)
    reason: Word = Field(description="lost (the last will), stop, sleep or reconfigure.")


class WireRule(_Told):
    """When a reading of one signal is worth a sample, as in the agent's configuration."""

    deadband: RuleNumber = Field(default=0.0, description="A smaller change is none; in the signal's unit.")
    interval_s_min: RuleNumber = Field(default=0.0, description="At most one sample in so many seconds.")
    interval_s_max: RuleNumber = Field(
        default=0.0, description="At least one in so many seconds; 0: only on change."
    )
    every: bool = Field(default=False, description="Each reading is a sample.")


class WireConsent(_Told):
    """The owner's consent to a collection profile."""

    owner: Name = Field(description="A reference to the owner, never a name.")
    granted_ms: TimeMs
    expires_ms: TimeMs = Field(
        description=f"The stream ends here; at most {limits.CONSENT_DAYS_MAX} days after granted_ms."
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if not self.granted_ms < self.expires_ms <= self.granted_ms + limits.CONSENT_DAYS_MAX * DAY_MS:
            raise ValueError(f"must end after it begins, and after at most {limits.CONSENT_DAYS_MAX} days")
        return self


class WireProfile(_Told):
    """A collection profile: finer sampling of named signals, for as long as the owner agrees."""

    name: Name
    rules: dict[Path, WireRule] = Field(min_length=1, max_length=limits.PROFILE_SIGNALS_MAX)
    consent: WireConsent


class WireDesired(_Told):
    """The configuration that is desired of a device, over that of its own file."""

    version: Version
    revision: Revision
    settings: Sections = Field(default={}, description="Values by section and name.")
    profile: WireProfile | None = Field(default=None, description="Absent or null: none; it ends.")


class WireProfileReport(_Said):
    """The collection profile in force."""

    name: Name
    state: Word = Field(
        description="running, waiting (consent has not begun, or the clock is not known), ended."
    )
    signals: Signals
    expires_ms: TimeMs


class WireRefusal(_Said):
    """A desired configuration that was refused; the one before it stays in force."""

    revision: Revision | None = Field(description="null where not even that could be read.")
    error: str = Field(max_length=limits.DOCUMENT_ERROR_CHARACTERS_MAX, description="What to change.")


class WireReported(_Said):
    """Which desired configuration is in force, and what was refused since."""

    version: Version
    device: DeviceId
    revision: Revision | None = Field(description="null: the device's own file alone.")
    settings: Sections = Field(description="Effective values of what the desired configuration sets.")
    profile: WireProfileReport | None
    refused: WireRefusal | None
    settable: tuple[Word, ...] = Field(
        max_length=limits.SETTINGS_MAX, description="All settings that it lets be set, as section.name."
    )


WireState = Annotated[WireBirth | WireFarewell, Field(discriminator="online")]
State: TypeAdapter[WireBirth | WireFarewell] = TypeAdapter(WireState)


def read_state(payload: bytes) -> WireBirth | WireFarewell:
    """Read a state document.

    Raises:
        DocumentError: too long, or not what the schema says.
    """
    return _read(payload, State.validate_json)


def read_reported(payload: bytes) -> WireReported:
    """Read a reported document.

    Raises:
        DocumentError: too long, or not what the schema says.
    """
    return _read(payload, WireReported.model_validate_json)


def check_desired(payload: bytes) -> WireDesired:
    """Read a config document; what is refused is refused in the words of the device.

    Raises:
        DocumentError: too long, or not what the schema says.
    """
    read_desired(payload)
    return _read(payload, WireDesired.model_validate_json)


def _read(payload: bytes, validate: Callable[[bytes], Document]) -> Document:
    if len(payload) > limits.DOCUMENT_BYTES_MAX:
        raise DocumentError("", f"{len(payload)} bytes; at most {limits.DOCUMENT_BYTES_MAX}")
    try:
        return validate(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DocumentError(where[:128], first["msg"][:256]) from None
