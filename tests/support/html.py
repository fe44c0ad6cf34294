"""Reads a page as a person does: its text without markup, its links, its tables."""

from __future__ import annotations

from html.parser import HTMLParser

BLOCKS = frozenset(
    {"p", "li", "div", "h1", "h2", "h3", "h4", "tr", "td", "th", "dt", "dd", "caption", "option"}
)
SILENT = frozenset({"script", "style", "svg", "head"})


class Page(HTMLParser):
    """One page; ``lines`` are its words in order, a line for each block."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.lines: list[str] = [""]
        self.links: list[tuple[str, str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._silent = 0
        self._href: str | None = None
        self.feed(html)
        self.links = [(href, " ".join(words.split())) for href, words in self.links]
        self.lines = [line for line in (" ".join(line.split()) for line in self.lines) if line]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes the tag, and begins a line where one begins."""
        self.tags.append((tag, dict(attrs)))
        self._silent += tag in SILENT
        if tag in BLOCKS:
            self.lines.append("")
        if tag == "a":
            self._href = dict(attrs).get("href")
            self.links.append((self._href or "", ""))

    def handle_endtag(self, tag: str) -> None:
        """Ends a line where one ends."""
        self._silent -= tag in SILENT
        if tag in BLOCKS:
            self.lines.append("")
        if tag == "a":
            self._href = None

    def handle_data(self, data: str) -> None:
        """Adds words to the line, and to the link that they are in."""
        if self._silent:
            return
        self.lines[-1] += data
        if self._href is not None:
            href, words = self.links[-1]
            self.links[-1] = (href, words + data)

    @property
    def text(self) -> str:
        """All words, a block a line."""
        return "\n".join(self.lines)

    def link(self, words: str) -> str:
        """Where the link with these words leads.

        Raises:
            AssertionError: no link has these words.
        """
        found = [href for href, said in self.links if said == words]
        assert found, f"no link says {words!r}: {self.links}"
        return found[0]

    def named(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The attributes of all such tags."""
        return [
            there
            for name, there in self.tags
            if name == tag and all(there.get(key) == value for key, value in attributes.items())
        ]
