"""The gamma distribution with mean 1, in closed forms that run on whole fleets.

Quantiles and probabilities by Wilson and Hilferty's cube root (1931), exact inverses of each other;
the normal distribution's by Abramowitz and Stegun 7.1.26 (absolute error below 1.5e-7).
"""

from __future__ import annotations

import numpy as np

from milepost_server.signals.flat import Floats

Z10 = -1.2815515655446004
Z50 = 0.0
Z90 = 1.2815515655446004
"""Standard normal quantiles of 10, 50 and 90 %."""

_CUBE_ROOT_MIN = 0.05  # keeps quantiles positive in the far tail, where the approximation ends


def quantile(variance: Floats, z: Floats | float) -> Floats:
    """The value that a gamma variable of mean 1 and ``variance`` stays below with probability Phi(z)."""
    root = 1 - variance / 9 + z * np.sqrt(variance) / 3
    cubed: Floats = np.maximum(root, _CUBE_ROOT_MIN) ** 3
    return cubed


def below(variance: Floats, value: Floats) -> Floats:
    """The probability that a gamma variable of mean 1 and ``variance`` > 0 stays below ``value`` >= 0."""
    return normal_below(3 * (np.cbrt(value) - 1 + variance / 9) / np.sqrt(variance))


def normal_below(z: Floats) -> Floats:
    """The standard normal distribution function."""
    x = np.abs(z) / np.sqrt(2)
    t = 1 / (1 + 0.3275911 * x)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    tail = poly * np.exp(-x * x) / 2
    result: Floats = np.where(z > 0, 1 - tail, tail)
    return result
