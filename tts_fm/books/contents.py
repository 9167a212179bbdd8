"""The table of contents of an EPUB: a navigation document (EPUB 3) or an NCX (EPUB 2), as entries in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue, reportMissingImports] (an extra)

from tts_fm.books.pages import Follow, Target

_DEEPEST = 8
_TYPE = "{http://www.idpf.org/2007/ops}type"


@dataclass(frozen=True)
class Entry:
    """A line of the contents, where it leads (None: it is the title of those below), and how deep it stands from 0."""

    title: str
    target: Target | None
    depth: int


def of_navigation(root: etree._Element, name: str, follow: Follow) -> list[Entry]:
    """Return the entries of the document ``name``, in which one ``nav`` is the table of contents."""
    navs = list(root.iter("{*}nav"))
    chosen = next((nav for nav in navs if "toc" in nav.get(_TYPE, nav.get("epub:type", "")).split()), None)
    if chosen is None:
        return []
    first = next(chosen.iter("{*}ol"), None)
    return [] if first is None else list(_list(first, name, follow, 0))


def _list(ol: etree._Element, name: str, follow: Follow, depth: int) -> Iterator[Entry]:
    for li in ol.iterchildren("{*}li"):
        said = next(li.iterchildren("{*}a", "{*}span"), None)
        if said is not None:
            href = said.get("href")
            yield Entry(_text(said), None if href is None else follow(name, href), depth)
        for below in li.iterchildren("{*}ol"):
            if depth < _DEEPEST:
                yield from _list(below, name, follow, depth + 1)


def of_ncx(root: etree._Element, name: str, follow: Follow) -> list[Entry]:
    """Return the entries of the NCX ``name``."""
    first = next(root.iter("{*}navMap"), None)
    return [] if first is None else list(_points(first, name, follow, 0))


def _points(parent: etree._Element, name: str, follow: Follow, depth: int) -> Iterator[Entry]:
    for point in parent.iterchildren("{*}navPoint"):
        label = next(point.iterchildren("{*}navLabel"), None)
        content = next(point.iterchildren("{*}content"), None)
        source = None if content is None else content.get("src")
        yield Entry("" if label is None else _text(label), None if source is None else follow(name, source), depth)
        if depth < _DEEPEST:
            yield from _points(point, name, follow, depth + 1)


def _text(element: etree._Element) -> str:
    return " ".join("".join(map(str, element.itertext())).split())
