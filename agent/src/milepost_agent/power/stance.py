"""The four stances of an agent towards the car's battery, by the words that are sent."""

from __future__ import annotations

import enum


class Stance(enum.Enum):
    """What runs; the values are those of ``Vehicle.Milepost.Power.State``."""

    AWAKE = "driving"
    """The car is in use: everything runs."""
    RESTING = "parked"
    """The bus is not asked; an adapter looks at the battery by itself."""
    SAVING = "low"
    """Everything is off but a look at the battery now and then."""
    ASLEEP = "sleeping"
    """As ``SAVING``, looked at still more rarely, and the machine may be put to sleep."""

    @property
    def is_closed(self) -> bool:
        """Whether ports and links are closed between two looks."""
        return self in (Stance.SAVING, Stance.ASLEEP)
