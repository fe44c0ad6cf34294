"""The trouble codes of cars: what their events add up to, what each is about, and how soon to act on it.

`fleet` adds up the events of many vehicles, `events` those of one; `systems` says what a code is about and
`urgency` how soon to act; `texts` what it is called; `clearing` whether codes were cleared before a visit.
"""

from milepost_server.signals.faults.events import Fault, FaultEvent, FaultStatus, current_faults, parse_fault

__all__ = ["Fault", "FaultEvent", "FaultStatus", "current_faults", "parse_fault"]
