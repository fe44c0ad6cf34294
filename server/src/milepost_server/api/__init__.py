"""The REST API, version 1: what a dealer's own systems and the demo speak."""
