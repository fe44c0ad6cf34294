"""How far a car goes in a day, and what lies ahead of it.

`months` and `regimes` look at what was; `rate` shrinks it to the group. `past` makes examples of it, from
which `model` learns by `features` and `trees`; `calibration` makes intervals as wide as they have to be.
`pace` and `ahead` foretell. `events` are what comes by distance, such as the end of an engine.
"""
