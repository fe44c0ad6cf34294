"""A fleet whose truth is known: read from the columns of its folder, derived, and held against that truth.

The files are the whole contract with whoever made the fleet: see ``docs/fleet-columns.md``.
"""
