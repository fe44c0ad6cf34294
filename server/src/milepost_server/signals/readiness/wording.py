"""A probability in words: so many of 100 owners did. Nobody is ever said to be about to buy."""

from __future__ import annotations


def of_owners(probability: float) -> str:
    """``12 of 100``, ``4 of 1,000``, ``fewer than 1 of 1,000``, ``more than 99 of 100``."""
    if probability < 0.001:
        return "fewer than 1 of 1,000"
    if probability < 0.00995:
        return f"{round(probability * 1000)} of 1,000"
    return "more than 99 of 100" if probability >= 0.995 else f"{round(probability * 100)} of 100"


def sentence(probability: float, days: int, *, learned: bool) -> str:
    """What is said of an owner: with outcomes as what others did, without as what is usually published."""
    share = of_owners(probability)
    if learned:
        return f"{share} owners like this one replaced their car within {days} days"
    return f"{share} owners like this one, by published figures, replace their car within {days} days"


PRIOR = "prior, not learned"
"""The mark of points that rest on no outcomes yet."""
