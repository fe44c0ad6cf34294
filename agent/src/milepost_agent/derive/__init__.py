"""Edge derivations: readings from the bus become distance, hours, wear and faults, without I/O or clock."""
