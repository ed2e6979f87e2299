"""A page as a tree, for tests: what a browser makes of it, by the standard library's parser."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from html.parser import HTMLParser

_VOID = {"meta", "link", "img", "input", "br"}


@dataclasses.dataclass
class Element:
    """An element with its attributes, and what is in it."""

    tag: str
    attributes: dict[str, str]
    children: list[Element | str] = dataclasses.field(default_factory=list)

    def all(self, *tags: str, **attributes: str) -> list[Element]:
        """Elements below of these tags (any if none) with these attributes; class_ for class."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            element
            for element in self._below()
            if (not tags or element.tag in tags)
            and all(
                value in element.attributes.get(name, "").split()
                if name == "class"
                else element.attributes.get(name) == value
                for name, value in wanted.items()
            )
        ]

    def one(self, *tags: str, **attributes: str) -> Element:
        """The only such element."""
        (found,) = self.all(*tags, **attributes)
        return found

    @property
    def text(self) -> str:
        """All text below, with single spaces."""
        parts = [child if isinstance(child, str) else child.text for child in self.children]
        return " ".join(" ".join(parts).split())

    def _below(self) -> Iterator[Element]:
        for child in self.children:
            if isinstance(child, Element):
                yield child
                yield from child._below()


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("document", {})]

    def handle_starttag(self, tag, attributes):
        element = Element(tag, {name: value or "" for name, value in attributes})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.open[-1].children.append(
            Element(tag, {name: value or "" for name, value in attributes})
        )

    def handle_endtag(self, tag):
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1].children.append(data)


def parse(text: str) -> Element:
    """Reads a page; every tag must be closed where it should be."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert [element.tag for element in parser.open] == ["document"]
    return parser.open[0]
