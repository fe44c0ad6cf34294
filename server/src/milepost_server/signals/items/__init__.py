"""What wears or expires on a car: where it was renewed, its limits, which comes first, what is done then.

`starts`, `wear`, `counters` and `countdown` -> `limits` -> `due` -> `states` -> `life_cycle`; `item` is what
a schedule says.
"""
