"""Scorecards on any table of outcomes, against baselines, on rows that were not seen."""
