"""The trouble codes of cars: what their events add up to, what each is about, and how soon to act on it.

`events` reads what a car says, `fleet` adds it up; `systems` says what a code is about and
`urgency` how soon to act; `texts` what it is called; `clearing` whether codes were cleared before a visit.
"""

from milepost_server.signals.faults.events import FaultEvent, FaultStatus, parse_fault

__all__ = ["FaultEvent", "FaultStatus", "parse_fault"]
