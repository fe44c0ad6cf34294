"""How the batteries of a car are, and when they come down to their limits: `battery` (12 V) and `pack`.

Both follow a `trend`.
"""
