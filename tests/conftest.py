"""Fixtures that all parts share: where the real data is, and what to say where it is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# As the server does for itself: test modules may import NumPy before it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# Shared machines are slow now and then: an example that takes long has found nothing.
settings.register_profile(
    "milepost", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("milepost")

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NO_DATA = "the real data is not beside this checkout (expected ../shared/data); see docs/data.md"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data; skips the test, with the reason, where a clone has none."""
    if not DATA.is_dir():
        pytest.skip(NO_DATA)
    return DATA
