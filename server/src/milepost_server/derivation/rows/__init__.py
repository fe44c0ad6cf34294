"""From results in arrays to rows of the store."""
