"""Vehicle profiles: what kinds of cars tell beyond the standard, as data files; see docs/vehicle-profiles.md.

::

    library    which profiles there are, by name, file or VIN
    parsing    a file's tables as a profile, with errors that say where (tables)
    contract   what each profile must keep, with the examples that it brings
    profile    the profile itself, and how its numbers become values (units)
"""

from __future__ import annotations

from milepost_agent.vehicles.library import AUTO, Library, load_profile, open_library, shipped_names
from milepost_agent.vehicles.profile import VehicleProfile

__all__ = ["AUTO", "Library", "VehicleProfile", "load_profile", "open_library", "shipped_names"]
