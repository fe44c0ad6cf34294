"""The schema of a batch's body, version 1, as pydantic models.

JSON Schema and AsyncAPI documents are generated from these (``documents.py``). Fields that are not listed
are ignored, so that old readers survive new ones; a change that they cannot survive is a new major version.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from milepost_protocol import limits
from milepost_protocol.identity import DEVICE_ID_PATTERN
from milepost_protocol.samples import GapReason, TimeTrust

Whole = Annotated[int, Field(ge=-limits.INTEGER_MAX, le=limits.INTEGER_MAX)]
Seq = Annotated[int, Field(ge=1, le=limits.SEQ_MAX)]
Count = Annotated[int, Field(ge=1, le=limits.GAP_SEQS_MAX)]
Text = Annotated[str, Field(max_length=limits.TEXT_CHARACTERS_MAX)]
# Strict models take no string for an enumeration, which is all that the wire has.
Trust = Annotated[TimeTrust, Field(strict=False)]
Reason = Annotated[GapReason, Field(strict=False)]
SampleCount = Annotated[int, Field(ge=1, le=limits.BATCH_SAMPLES_MAX)]


class _WireModel(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class WireNumbers(_WireModel):
    """A run of whole numbers: the first, then the difference of each from the one before."""

    first: Whole
    width: Literal[1, 2, 4, 8] = Field(description="Bytes of one difference.")
    steps: bytes = Field(
        max_length=8 * limits.BATCH_SAMPLES_MAX,
        description="Differences in two's complement, little-endian, in byte planes: the lowest byte of each "
        "difference, then the next byte of each, and so on.",
    )


class WireColumn(_WireModel):
    """All values of one signal in the batch, in order of seq: either ``values`` or ``texts``."""

    signal: str = Field(
        min_length=1, max_length=limits.SIGNAL_CHARACTERS_MAX, description="VSS path, or one of our overlay."
    )
    unit: str = Field(
        max_length=limits.UNIT_CHARACTERS_MAX,
        description="Unit of the values, by its VSS name; empty for none.",
    )
    per_unit: int = Field(
        default=1, ge=1, le=limits.PER_UNIT_MAX, description="A value is its whole number divided by this."
    )
    values: WireNumbers | None = None
    texts: tuple[Text, ...] | None = Field(
        default=None,
        max_length=limits.BATCH_SAMPLES_MAX,
        description="Values of a signal of datatype string.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.values is None) == (self.texts is None):
            raise ValueError("a column has either values or texts")
        return self


class WireGap(_WireModel):
    """A run of consecutive seqs, all of which were dropped."""

    first: Seq
    last: Seq = Field(description="Inclusive.")
    reason: Reason
    counts: tuple[tuple[Annotated[str, Field(max_length=16)], Count], ...] = Field(
        min_length=1,
        max_length=16,
        description="(signal class or 'unknown', samples); they add up to the run.",
    )


class WireBody(_WireModel):
    """The body of a batch, a MessagePack map. Epoch and seqs stand in the frame before it."""

    device: str = Field(pattern=f"^{DEVICE_ID_PATTERN}$")
    sent: int = Field(
        ge=0,
        le=limits.TIME_MS_MAX,
        description="When the batch was cut: ms since 1970 by the device's clock.",
    )
    vss: str = Field(max_length=16, description="Version of VSS that paths and units are taken from.")
    times: WireNumbers | None = Field(
        default=None,
        description="When each sample was taken: ms before ``sent``, by seq; absent with no samples.",
    )
    trust: tuple[tuple[Trust, SampleCount], ...] = Field(
        max_length=limits.BATCH_SAMPLES_MAX, description="Runs of samples with the same trust in their time."
    )
    order: bytes = Field(
        max_length=limits.BATCH_SAMPLES_MAX, description="One byte a sample, by seq: the index of its column."
    )
    columns: tuple[WireColumn, ...] = Field(max_length=limits.BATCH_COLUMNS_MAX)
    gaps: tuple[WireGap, ...] = Field(
        default=(), max_length=limits.BATCH_GAPS_MAX, description="Ascending by seq."
    )
