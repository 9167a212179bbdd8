"""What of a page of XHTML or HTML is read aloud: headings, paragraphs, breaks between scenes, and notes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue, reportMissingImports] (an extra)

from tts_fm.books import Part
from tts_fm.text.clean import says_something

Target = tuple[str, str]
"""A page and the name of a place in it."""
Follow = Callable[[str, str], Target | None]
"""Returns where a link in a page leads, None if out of the book."""

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article aside blockquote body caption dd details div dl dt fieldset figcaption figure footer form header hgroup "
    "html li main ol p pre section summary table tbody tfoot thead tr ul".split()
)
_SILENT = frozenset(
    "audio button canvas embed head iframe img input map math nav noscript object rp rt script select source style svg "
    "template textarea title video".split()
)
_NOTES = frozenset(("footnote", "endnote", "rearnote", "note", "doc-footnote", "doc-endnote"))
_LISTS_OF_NOTES = frozenset(("footnotes", "endnotes", "rearnotes", "doc-endnotes"))
_REFERENCE, _BACK = frozenset(("noteref", "doc-noteref")), frozenset(("backlink", "doc-backlink"))
_NOT_SAID = frozenset(("pagebreak", "doc-pagebreak", "toc", "doc-toc", "landmarks", "page-list"))
_NOTE_BODIES = frozenset(("aside", "blockquote", "dd", "div", "li", "p", "td"))
_MARK = re.compile(r"[\[(]?\s*(?:\d{1,4}|[*†‡§¶#]{1,3}|[a-z]|[ivxl]{1,6})\s*[\])]?\.?|[↑↩←^]\ufe0e?")
_LABEL = re.compile(r"(?:[\[(]\s*\w{1,4}\s*[\])]|\d{1,3}[.)]|[*†‡§¶]{1,3})\s*(?=\S)")
_LONGEST_NOTE = 5_000  # characters
_IN_BRACKETS = re.compile(r"\s*[\[(].*[\])]\s*")


@dataclass(frozen=True, eq=False)
class Page:
    """A page by its name in the book, and its root element."""

    name: str
    root: etree._Element


@dataclass(frozen=True, eq=False)
class Notes:
    """The notes of a book: the element of each by its place, the places that references lead to, and links back to these."""

    bodies: Mapping[etree._Element, Target]
    references: Mapping[etree._Element, Target]
    backlinks: frozenset[etree._Element]


def find_notes(pages: list[Page], follow: Follow) -> Notes:
    """Return what in ``pages`` are notes and references to them.

    EPUB 3 says so; elsewhere it is a link that looks like the mark of a note and leads to a later place in the book.
    """
    at = {element: i for i, element in enumerate(chain.from_iterable(page.root.iter("*") for page in pages))}
    by_place = {
        (page.name, place): element for page in pages for element in page.root.iter("*") for place in _ids(element)
    }
    bodies: dict[etree._Element, Target] = {}
    references: dict[etree._Element, Target] = {}
    backlinks: set[etree._Element] = set()
    for page in pages:
        for element in page.root.iter("*"):
            if _kinds(element) & _NOTES and _tag(element) != "a":
                bodies[element] = (page.name, next(_ids(element), ""))
    for page in pages:
        for link in page.root.iter("{*}a"):
            target = follow(page.name, link.get("href", ""))
            note = None if target is None else by_place.get(target)
            if _kinds(link) & _BACK or (note is not None and at[note] < at[link] and _is_mark(link)):
                backlinks.add(link)
            elif target is not None and (_kinds(link) & _REFERENCE or (_is_raised(link) and _is_mark(link))):
                body = None if note is None else _body(note, bodies)
                if body is not None and body not in link.iterancestors():
                    references[link] = bodies.setdefault(body, target)
                elif _kinds(link) & _REFERENCE:
                    references[link] = target
    return Notes(bodies, references, frozenset(backlinks))


def _body(element: etree._Element, bodies: Mapping[etree._Element, Target]) -> etree._Element | None:
    """Return the note of which ``element`` is a part, or which it is."""
    line = [element, *element.iterancestors()]
    known = next((one for one in line if one in bodies), None)
    body = known if known is not None else next((one for one in line if _tag(one) in _NOTE_BODIES), None)
    return body if body is None or body is known or _is_short(body) else None


def _is_short(element: etree._Element) -> bool:
    """Whether an element may be a note: a link that only looks like one's mark must not take a chapter away."""
    has_heading = any(_tag(one) in _HEADINGS for one in element.iter("*"))
    return not has_heading and len(_words(element)) <= _LONGEST_NOTE


def _is_mark(link: etree._Element) -> bool:
    return _MARK.fullmatch(_words(link)) is not None


def _is_raised(link: etree._Element) -> bool:
    """Whether a link stands as the mark of a note does: raised, in brackets, or named so."""
    near = [link, *link.iter("{*}sup"), *link.iterancestors("{*}sup", "{*}span")]
    is_raised = any(_tag(one) == "sup" for one in near)
    return is_raised or _IN_BRACKETS.fullmatch(_words(link)) is not None or "note" in link.get("class", "").lower()


class Reader:
    """Reads a page; ``notes`` are those of the book."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._parts: list[Part] = []
        self._text: list[str] = []
        self._ids: set[str] = set()
        self._refers: list[Target] = []
        self._level = 0

    def read(self, page: Page) -> list[Part]:
        """Return the parts of ``page``."""
        self._parts = []
        self._element(page.root)
        self._end()
        if self._ids and self._parts:  # a place behind the last words
            self._parts.append(Part("break", ids=frozenset(self._ids)))
        self._ids = set()
        return self._parts

    def _element(self, element: etree._Element) -> None:
        tag = _tag(element)
        if tag in _SILENT or _is_hidden(element) or element in self._notes.backlinks:
            return
        if element in self._notes.references:
            self._refers.append(self._notes.references[element])
            return
        if element in self._notes.bodies:
            self._note(element)
            return
        kinds = _kinds(element)
        if kinds & _LISTS_OF_NOTES:
            for body in element.iter("*"):
                if body in self._notes.bodies:
                    self._note(body)
            return
        is_block = tag in _BLOCKS or tag in _HEADINGS or tag == "hr"
        if is_block:
            self._end()
        self._ids.update(_ids(element))
        if tag == "hr":
            self._parts.append(Part("break", ids=self._taken()))
            return
        level, self._level = self._level, _HEADINGS.get(tag, self._level)
        self._inside(element)
        if tag in ("td", "th"):
            self._text.append(", " if element.getnext() is not None else "")
        if is_block:
            self._end()
        self._level = level

    def _inside(self, element: etree._Element) -> None:
        self._text.append(element.text or "")
        for child in element:
            if isinstance(child.tag, str):
                if _tag(child) == "br":
                    self._text.append(" ")
                self._element(child)
            self._text.append(child.tail or "")

    def _note(self, body: etree._Element) -> None:
        """Keep a note where it stands, as one part; what was begun before goes on behind it."""
        page, place = self._notes.bodies[body]
        reader = Reader(Notes({}, self._notes.references, self._notes.backlinks))
        words = " ".join(part.text for part in reader.read(Page(page, body)) if part.kind != "break")
        ids = frozenset(chain.from_iterable(_ids(one) for one in body.iter("*"))) | {place}
        label = _LABEL.match(words)
        self._parts.append(Part("note", words if label is None else words[label.end() :], ids=ids))

    def _end(self) -> None:
        """End a block: its words become a part, signs alone ("* * *") a break."""
        text = " ".join("".join(self._text).split())
        self._text = []
        if not text:
            return
        refers = tuple(dict.fromkeys(self._refers))
        self._refers = []
        if not says_something(text):
            self._parts.append(Part("break", ids=self._taken()))
        elif self._level:
            self._parts.append(Part("heading", text, self._level, self._taken(), refers))
        else:
            self._parts.append(Part("paragraph", text, 0, self._taken(), refers))

    def _taken(self) -> frozenset[str]:
        ids, self._ids = frozenset(self._ids), set()
        return ids


def _tag(element: etree._Element) -> str:
    return etree.QName(element).localname.lower() if isinstance(element.tag, str) else ""


def _kinds(element: etree._Element) -> set[str]:
    """Return what an element says that it is, by EPUB's types, ARIA's roles, and the classes that Markdown's notes have."""
    said = [element.get(name, "") for name in ("{http://www.idpf.org/2007/ops}type", "epub:type", "role")]
    classes = {"footnote-backref": "backlink", "footnote-item": "footnote", "footnotes": "footnotes"}
    return {*" ".join(said).split(), *(classes[one] for one in element.get("class", "").split() if one in classes)}


def _ids(element: etree._Element) -> Iterator[str]:
    for name in ("id", "name", "{http://www.w3.org/XML/1998/namespace}id"):
        if (value := element.get(name)) and (name != "name" or _tag(element) == "a"):
            yield value


def _is_hidden(element: etree._Element) -> bool:
    style = element.get("style", "").replace(" ", "").lower()
    is_hidden = element.get("hidden") is not None or element.get("aria-hidden") == "true" or "display:none" in style
    return is_hidden or bool(_kinds(element) & _NOT_SAID)


def _words(element: etree._Element) -> str:
    return " ".join("".join(map(str, element.itertext())).split())
