"""Which items a car has, and their limits: schedules as TOML, general ones and ever more special ones on top.

`documents` are the files as models, `parsing` reads them, `book` finds what holds for one kind of car,
`shipped` are those that come with the product (``generic/``, and ``makers/`` for single makes).
"""
