"""Limits of an uplink's sending for tests: quick ones, with what a test wants otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from milepost_agent.uplink.session import SessionLimits

QUICK = SessionLimits(
    window_batches=4,
    unreceipted_batches_max=8,
    unreceipted_bytes_max=100_000,
    batch_samples_min=1,
    batch_wait_s=0.1,
    receipt_timeout_s=0.5,
    resend_s_max=2.0,
)


def session_limits(**changes: Any) -> SessionLimits:
    """``QUICK`` with some ``changes``."""
    return replace(QUICK, **changes)
