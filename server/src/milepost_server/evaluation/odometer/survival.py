"""The fleet's own survival curve, as a life table over periods, and the score of a foretold survival."""

from __future__ import annotations

import numpy as np

from milepost_server.signals.flat import Floats, Ints

PROBABILITY_MIN = 1e-6
"""What was held to be impossible is scored as if it had this probability."""
LEANS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)
"""As if so many had been watched in each period besides, at the average hazard; the best is picked."""


def life_table(duration: Floats, happened: Floats, periods: int, lean: float = 0.0) -> Floats:
    """The survival (periods + 1) at the ends of periods, from 1: Kaplan and Meier's curve.

    ``duration`` (N) is in periods, ``happened`` (N) 1 for an event and 0 for an end of watching, which counts
    as half a period. With ``lean``, periods with few lean on the average hazard.
    """
    period = np.minimum(duration.astype(np.int64), periods - 1)
    events, ended = (
        np.bincount(period, weights=values, minlength=periods) for values in (happened, 1 - happened)
    )
    all_ = events + ended
    watched = np.cumsum(all_[::-1])[::-1] - ended / 2
    average = events.sum() / max(float(watched.sum()), 1.0)
    weight = watched + lean
    hazard = np.divide(events + lean * average, weight, out=np.zeros(periods), where=weight > 0)
    return np.concatenate([[1.0], np.cumprod(1 - np.minimum(hazard, 1 - PROBABILITY_MIN))])


def best_lean(duration: Floats, happened: Floats, fold: Ints, periods: int) -> float:
    """The lean with which tables of the other folds (N) foretell a fold best: the fairest opponent."""
    scores = []
    for lean in LEANS:
        total = 0.0
        for one in np.unique(fold):
            held = fold == one
            table = life_table(duration[~held], happened[~held], periods, lean)
            everyone = np.broadcast_to(table, (int(held.sum()), len(table)))
            total += float(log_score(everyone, duration[held], happened[held]).sum())
        scores.append(total)
    return LEANS[int(np.argmax(scores))]


def given_until_now(table: Floats, age: Floats) -> Floats:
    """The survival (N, periods + 1) of those who came to ``age`` (N, periods); level beyond the table."""
    periods = len(table) - 1
    at = age[:, None] + np.arange(periods + 1)
    logs = np.log(np.maximum(table, PROBABILITY_MIN))
    ahead = np.interp(at, np.arange(periods + 1), logs)
    curve: Floats = np.exp(ahead - ahead[:, :1])
    return curve


def log_score(curve: Floats, duration: Floats, happened: Floats) -> Floats:
    """The logarithm (N) of the probability that ``curve`` (N, periods + 1) gave to what came.

    That is the event within its period, or, where watching ended, no event until the middle of that period.
    """
    rows = np.arange(len(duration))
    period = np.minimum(duration.astype(np.int64), curve.shape[1] - 2)
    before, after = curve[rows, period], curve[rows, period + 1]
    given = np.where(happened > 0, before - after, (before + after) / 2)
    score: Floats = np.log(np.maximum(given, PROBABILITY_MIN))
    return score
