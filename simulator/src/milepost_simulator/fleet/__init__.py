"""Fleets of owners whose hidden truth is known: who they are, how they drive, what wears, what they want.

Owners come in blocks with random streams of their own, so that an owner stays the same however large
the fleet is, and so that a million are made block by block.
"""
