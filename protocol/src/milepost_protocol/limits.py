"""Every limit of the wire, with its unit in its name.

A broker such as AWS IoT takes 128 KB a payload; half of it leaves room for whatever is wrapped around ours.
"""

from __future__ import annotations

BATCH_BYTES_MAX = 64 * 1024
"""A whole payload as published, header included."""

BODY_BYTES_MAX = 1024 * 1024
"""A body after decompression; what claims or produces more is a bomb."""

BATCH_SAMPLES_MAX = 4096
BATCH_COLUMNS_MAX = 256
BATCH_GAPS_MAX = 1024

SIGNAL_CHARACTERS_MAX = 128
UNIT_CHARACTERS_MAX = 32
TEXT_CHARACTERS_MAX = 256
PER_UNIT_MAX = 1_000_000_000

RECEIPT_RANGES_MAX = 16
"""Committed ranges above the watermark that one receipt may name."""

SEQ_MAX = 2**63 - 1
"""The largest seq: the signed 64 bits of a database column."""

GAP_SEQS_MAX = 2**32 - 1
"""Seqs that one batch may cover, gaps included: the width of the header's count."""

INTEGER_MAX = 2**52
"""Largest magnitude of a scaled value; a double keeps twice this exactly."""

TIME_MS_MAX = 253_402_300_799_999
"""The last millisecond of the year 9999; the first is 0 (1970)."""

DOCUMENT_BYTES_MAX = 16 * 1024
"""A state, config or reported document as published."""

DOCUMENT_SIGNALS_MAX = 512
DOCUMENT_SOURCES_MAX = 16
DOCUMENT_ERROR_CHARACTERS_MAX = 512

SECTIONS_MAX = 32
SETTINGS_MAX = 128
"""Settings that a config document may have in one section, and that a device may offer."""

PROFILE_SIGNALS_MAX = 64
RULE_NUMBER_MAX = 1_000_000_000
CONSENT_DAYS_MAX = 366
"""An owner agrees to a collection profile for so long at most, and is asked again then."""

REVISION_MAX = 2**31 - 1
