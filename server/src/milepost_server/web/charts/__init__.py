"""Pictures as SVG, made by pure functions from plain values.

Colours and strokes come from ``static/charts.css`` by class, so that a picture follows the page into the dark
and onto paper; the only thing that a picture knows of its place is its width.
"""
