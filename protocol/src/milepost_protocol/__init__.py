"""Milepost protocol."""
