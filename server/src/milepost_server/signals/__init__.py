"""What the readings of a car say about its future: pure NumPy, no clock, no I/O, the as-of time an argument.

readings -> `odometer` (clean) -> `usage` (distance per day) -> `due` (first of all limits of an item);
`items` says which limits a kind of car has, `faults` what its trouble codes are now.

Everything is vectorised over vehicles. Rows of all vehicles stand in flat arrays; ``offsets`` (V + 1) says
where each vehicle's rows begin. Times are float days since 1970-01-01 UTC, distances metres.
"""
