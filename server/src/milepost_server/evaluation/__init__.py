"""Holds the signals against what came to pass, on any files: errors, coverage, lift, intervals and seeds.

A module here that is named after an evaluation has a ``command``, by which ``milepost-server evaluate`` finds
it. Files are read in ``columns`` and written in ``report``; everything else is maths.
"""
