"""Plain logistic regression on standardised columns: the baseline that every analyst would try first."""

from __future__ import annotations

import numpy as np

from milepost_server.signals.flat import Floats

_STEPS = 100
_RIDGE = 1e-4  # keeps separated columns finite


def plain_logistic(train: Floats, event: Floats, test: Floats) -> Floats:
    """The probabilities of ``test`` (M, C) by a fit on ``train`` (N, C); NaN counts as the column's mean."""
    known = np.isfinite(train)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, train, 0.0).sum(axis=0) / count
    scale = np.sqrt((np.where(known, train - mean, 0.0) ** 2).sum(axis=0) / count)
    scale[scale == 0] = 1.0

    def design(values: Floats) -> Floats:
        standard = np.where(np.isfinite(values), (values - mean) / scale, 0.0)
        return np.concatenate([np.ones((len(values), 1)), standard], axis=1)

    columns = design(train)
    at = np.zeros(columns.shape[1])
    at[0] = np.log(event.mean() / (1 - event.mean()))
    ridge = _RIDGE * np.eye(len(at))
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-(columns @ at)))
        hessian = columns.T @ (columns * (chance * (1 - chance))[:, None]) + ridge
        step = np.linalg.solve(hessian, columns.T @ (event - chance) - ridge @ at)
        at += step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-8:
            break
    foretold: Floats = 1 / (1 + np.exp(-(design(test) @ at)))
    return foretold
