"""Milepost agent."""
