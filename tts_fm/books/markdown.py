"""A text in Markdown (CommonMark, tables, footnotes, a head in YAML), whose chapters are its highest headings."""

from __future__ import annotations

from pathlib import Path

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue, reportMissingImports] (an extra)
from markdown_it import MarkdownIt  # pyright: ignore[reportMissingImports] (an extra)
from mdit_py_plugins.footnote import footnote_plugin  # pyright: ignore[reportMissingImports] (an extra)
from mdit_py_plugins.front_matter import front_matter_plugin  # pyright: ignore[reportMissingImports] (an extra)

from tts_fm import strict
from tts_fm.books import Book, Footnotes
from tts_fm.books.archive import MAX_FILE
from tts_fm.books.chapters import by_headings, divide
from tts_fm.books.pages import Page, Reader, Target, find_notes
from tts_fm.errors import InputError
from tts_fm.small_file import read_text

_PAGE = "text"


def read(path: Path, footnotes: Footnotes) -> Book:
    """Read the text in ``path``. Raises InputError."""
    try:
        text = read_text(path, MAX_FILE).removeprefix("\ufeff")
    except ValueError as error:
        raise InputError(str(error)) from None
    parser = MarkdownIt("commonmark").enable("table").use(footnote_plugin).use(front_matter_plugin)
    tokens = parser.parse(text)
    for i, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", f"heading-{i}")
    html = parser.renderer.render(tokens, parser.options, {})
    root = etree.fromstring(
        f"<html><body>{html}</body></html>", etree.HTMLParser(no_network=True, remove_comments=True)
    )
    pages = [Page(_PAGE, root)]
    parts = Reader(find_notes(pages, _follow)).read(pages[0])
    head = next((_head(token.content) for token in tokens if token.type == "front_matter"), {})
    title, entries = by_headings(parts, _PAGE)
    title = head.get("title", "") or title or path.stem
    return Book(
        title,
        head.get("author", ""),
        head.get("lang", head.get("language", "")),
        divide({_PAGE: parts}, entries, title, footnotes) if parts else (),
    )


def _follow(base: str, link: str) -> Target | None:
    return (base, link[1:]) if link.startswith("#") else None


def _head(text: str) -> dict[str, str]:
    """Return what the head says in single words or lines; nothing where it is no YAML."""
    try:
        said = strict.load_yaml(text)
    except ValueError:
        return {}
    fields = said.items() if isinstance(said, dict) else ()
    return {str(name).lower(): str(value) for name, value in fields if isinstance(value, str | int | float)}
