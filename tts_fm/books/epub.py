"""An EPUB, of version 2 or 3: its package document, the pages in the order of the spine, and its contents."""

from __future__ import annotations

from pathlib import Path

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue, reportMissingImports] (an extra)

from tts_fm.books import Book, Footnotes, contents
from tts_fm.books.archive import Archive, inside, page
from tts_fm.books.chapters import divide
from tts_fm.books.contents import Entry
from tts_fm.books.pages import Page, Reader, Target, find_notes
from tts_fm.errors import InputError

_PAGES = ("application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document", "")
_NCX = "application/x-dtbncx+xml"


def read(path: Path, footnotes: Footnotes) -> Book:
    """Read the book in ``path``. Raises InputError."""
    with Archive(path) as archive:
        archive.check_readable()
        name = _package_name(archive)
        package = archive.tree(name)
        items = {item.get("id"): item for item in package.iter("{*}item")}
        pages, remarks = _pages(archive, package, items, name)
        entries = _entries(archive, package, items, name)
    notes = find_notes(pages, _follow)
    reader = Reader(notes)
    read_pages = {one.name: reader.read(one) for one in pages}
    title = _said(package, "title") or path.stem
    return Book(
        title,
        _said(package, "creator"),
        _said(package, "language"),
        divide(read_pages, entries, title, footnotes) if read_pages else (),
        tuple(remarks),
    )


def _package_name(archive: Archive) -> str:
    container = archive.tree("META-INF/container.xml")
    path = next((one.get("full-path") for one in container.iter("{*}rootfile") if one.get("full-path")), None)
    if path is None:
        raise InputError("the book does not say where its package document is; download it again")
    return inside("", path)[0]


def _pages(
    archive: Archive, package: etree._Element, items: dict[str | None, etree._Element], base: str
) -> tuple[list[Page], list[str]]:
    """Return the pages in the order of the spine, and remarks on those that are not there."""
    pages: list[Page] = []
    remarks: list[str] = []
    for itemref in package.iter("{*}itemref"):
        item = items.get(itemref.get("idref"))
        if item is None:
            remarks.append(f"the book names a page {itemref.get('idref')!r} that it does not have; it is left out")
            continue
        if itemref.get("linear") == "no" and "notes" not in (itemref.get("idref") or ""):
            continue
        if "nav" in item.get("properties", "").split() or item.get("media-type", "") not in _PAGES:
            continue
        name, _ = inside(base, item.get("href", ""))
        if name not in archive:
            remarks.append(f"the page {name} is missing in the book; it is left out")
        elif (root := page(archive.read(name))) is not None:
            pages.append(Page(name, root))
    return list({one.name: one for one in pages}.values()), remarks


def _entries(
    archive: Archive, package: etree._Element, items: dict[str | None, etree._Element], base: str
) -> list[Entry]:
    """Return the contents, of EPUB 3 if it has them, else of EPUB 2; none where there are none or they are damaged."""
    spine = next(package.iter("{*}spine"), None)
    ncx = None if spine is None else items.get(spine.get("toc"))
    ncx = next((item for item in items.values() if item.get("media-type") == _NCX), None) if ncx is None else ncx
    nav = next((item for item in items.values() if "nav" in item.get("properties", "").split()), None)
    for item, of in ((nav, contents.of_navigation), (ncx, contents.of_ncx)):
        name = None if item is None else inside(base, item.get("href", ""))[0]
        root = None if name is None or name not in archive else page(archive.read(name))
        if root is not None and name is not None and (entries := of(root, name, _follow)):
            return entries
    return []


def _follow(base: str, link: str) -> Target | None:
    if not link or "://" in link or link.startswith(("mailto:", "data:")):
        return None
    try:
        return inside(base, link)
    except InputError:
        return None


def _said(package: etree._Element, name: str) -> str:
    """Return a field of Dublin Core; several authors with commas, and of everything else the first."""
    values = ["".join(map(str, one.itertext())) for one in package.iter(f"{{http://purl.org/dc/elements/1.1/}}{name}")]
    values = [" ".join(text.split()) for text in values if text.strip()]
    return ", ".join(values if name == "creator" else values[:1])
