"""One car: its physics, its control units, and the adapter in its diagnostic port."""
