"""What dealers go by today when they choose whom to call: rankings that a learned one has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from milepost_server.signals.flat import Floats

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _lease_end(columns: Mapping[str, Floats]) -> Floats:
    months = columns["months_to_contract_end"]
    runs = (columns["is_lease"] == 1) & (months >= 0)
    return np.where(runs, -np.where(runs, months, 0.0), -np.inf)


def _known(values: Floats) -> Floats:
    """Unknown values behind all others."""
    return np.where(np.isnan(values), -np.inf, values)


BASELINES: dict[str, Callable[[Mapping[str, Floats]], Floats]] = {
    "lease_end": _lease_end,
    "oldest_first": lambda columns: _known(columns["age_months"]),
    "youngest_first": lambda columns: _known(-columns["age_months"]),
    "months_since_service": lambda columns: _known(columns["months_since_service"]),
    "random": lambda columns: np.zeros(len(columns["age_months"])),
}
"""From columns of features (N each) to a score (N): the larger, the sooner called."""
