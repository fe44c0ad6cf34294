"""The 12 V battery: rest voltage, the dip while the starter turns, charging, and ageing."""

from __future__ import annotations

import math

CAPACITY_AH = 60.0
PARKED_DRAIN_A = 0.03
CHARGE_A_MAX = 25.0
SURFACE_CHARGE_V = 0.35
SURFACE_LAG_S = 2700.0
STARTER_A = 150.0
RESISTANCE_OHM = 0.0095
LIFE_YEARS = 6.5
CRANK_S_MIN = 0.9
INRUSH_S = 0.35


class Battery:
    """State of charge and health as fractions; health falls from 1 (new) and is spent near 0.5."""

    def __init__(self, charge: float = 0.95, health: float = 1.0) -> None:
        self.charge = charge
        self.health = health
        self._surface_v = 0.0

    def rest_voltage_v(self) -> float:
        """Voltage without load: 12.7 V full and new, 11.6 V empty, plus what charging left behind."""
        return 11.6 + 1.1 * self.charge - 0.25 * (1 - self.health) + self._surface_v

    def cranking_voltage_v(self, since_s: float, oil_c: float, ambient_c: float) -> float:
        """Voltage ``since_s`` after the starter got current: deepest at first, then a plateau."""
        current_a = STARTER_A * (1 + 0.012 * max(0.0, 20.0 - oil_c))
        resistance_ohm = (
            RESISTANCE_OHM * (1 + 0.9 * (1 - self.health)) * (1 + 0.010 * max(0.0, 25.0 - ambient_c))
        )
        share = 1.0 if since_s < INRUSH_S else 0.8
        return self.rest_voltage_v() - current_a * resistance_ohm * share

    def crank_duration_s(self, oil_c: float) -> float:
        """How long the starter turns: longer when cold, longer with a weak battery."""
        return CRANK_S_MIN + 0.015 * max(0.0, 30.0 - oil_c) + 0.8 * (1 - self.health)

    def charging_voltage_v(self, ambient_c: float) -> float:
        """What alternator or converter holds: higher in the cold."""
        return 14.1 + 0.012 * max(-20.0, min(30.0, 20.0 - ambient_c))

    def charging(self, dt_s: float) -> None:
        """Take charge for ``dt_s``."""
        current_a = min(CHARGE_A_MAX, 60.0 * (self.ceiling() - self.charge))
        self.charge += max(0.0, current_a) * dt_s / 3600 / CAPACITY_AH
        self._surface_v = SURFACE_CHARGE_V

    def cranked(self, duration_s: float) -> None:
        """Pay for a start."""
        self.charge -= STARTER_A * duration_s / 3600 / CAPACITY_AH
        self._surface_v = 0.0

    def rest(self, elapsed_s: float, ambient_c: float, load_a: float = 0.0) -> None:
        """Stand for ``elapsed_s``: sleeping control units and ``load_a`` drain it, surface charge fades, heat
        ages it."""
        drain_a = PARKED_DRAIN_A + load_a
        self.charge = max(0.0, self.charge - drain_a * elapsed_s / 3600 / CAPACITY_AH)
        self._surface_v *= math.exp(-elapsed_s / SURFACE_LAG_S)
        self.age(elapsed_s, ambient_c)

    def age(self, elapsed_s: float, ambient_c: float) -> None:
        """Lose health: half of it in a life of usual warmth, twice as fast ten degrees above that."""
        rate_per_s = 0.5 / (LIFE_YEARS * 365.25 * 86_400) * 2 ** ((ambient_c - 15.0) / 10.0)
        self.health = max(0.2, self.health - rate_per_s * elapsed_s)

    def ceiling(self) -> float:
        """The charge that a worn battery still reaches."""
        return 0.55 + 0.45 * self.health
