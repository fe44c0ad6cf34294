"""Reads what a derivation needs of a chunk of vehicles, or of owners, as flat arrays."""
