"""Milepost server."""
