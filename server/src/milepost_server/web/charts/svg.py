"""SVG text from names and values: the one place where markup of pictures is put together and escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Value = str | float
Point = tuple[float, float]


def element(name: str, children: Iterable[Markup | str] = (), /, **attributes: Value) -> Markup:
    """``<name ...>children</name>``; ``class_`` is ``class``, ``text_anchor`` is ``text-anchor``."""
    pairs = (Markup(' {}="{}"').format(_attribute(key), _value(value)) for key, value in attributes.items())
    inner = Markup("").join(escape(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, Markup("").join(pairs), inner)


def text(words: str, x: float, y: float, **attributes: Value) -> Markup:
    """Words at a point of the picture."""
    return element("text", [words], x=x, y=y, **attributes)


def line(start: Point, end: Point, class_: str) -> Markup:
    """A straight line."""
    return element("line", class_=class_, x1=start[0], y1=start[1], x2=end[0], y2=end[1])


def polyline(points: Sequence[Point], class_: str) -> Markup:
    """A line through points."""
    return element("polyline", class_=class_, points=_points(points))


def polygon(points: Sequence[Point], class_: str) -> Markup:
    """A closed area."""
    return element("polygon", class_=class_, points=_points(points))


def rect(x: float, y: float, width: float, height: float, class_: str) -> Markup:
    """A rectangle; corners and ink are the style sheet's."""
    return element("rect", class_=class_, x=x, y=y, width=width, height=height)


def picture(width: float, height: float, label: str, children: Iterable[Markup], class_: str) -> Markup:
    """The picture itself; ``label`` is what a screen reader says instead of it."""
    return element(
        "svg",
        children,
        class_=class_,
        viewBox=f"0 0 {_value(width)} {_value(height)}",
        width=width,
        height=height,
        role="img",
        aria_label=label,
    )


def _points(points: Sequence[Point]) -> str:
    return " ".join(f"{_value(x)},{_value(y)}" for x, y in points)


def _attribute(key: str) -> str:
    name = key.rstrip("_")
    return name if name == "viewBox" else name.replace("_", "-")


def _value(value: Value) -> str:
    # A tenth of a pixel is finer than any screen, and keeps pages small.
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
