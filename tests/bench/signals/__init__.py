"""Benchmarks of the signals: how well they foretell, and how fast a fleet is derived."""
