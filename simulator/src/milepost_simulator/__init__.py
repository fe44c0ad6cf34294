"""Milepost simulator."""
