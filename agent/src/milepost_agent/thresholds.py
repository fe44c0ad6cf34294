"""When an engine runs and when a car moves: what sources and derivations must agree on."""

from __future__ import annotations

from typing import Final

RUNNING_RPM_MIN: Final = 400.0
"""Below it is standstill or the starter (100 to 300 rpm); no engine idles so slowly."""
MOVING_KMH_MIN: Final = 1.0
"""Below it is standstill: speeds come in whole km/h."""
