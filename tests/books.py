"""Small EPUBs, made for a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="{}" media-type="application/oebps-package+xml"/></rootfiles></container>'
)
XHTML = 'xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"'
PAGE, NAV, NCX = "application/xhtml+xml", "nav.xhtml", "toc.ncx"


def page(body: str) -> str:
    """Return a page of XHTML."""
    return f"<!DOCTYPE html>\n<html {XHTML}><head><title>never said</title></head><body>{body}</body></html>"


def nav(items: str) -> str:
    """Return a navigation document of EPUB 3 with a page list, which is no contents, before its contents."""
    pages = '<nav epub:type="page-list"><ol><li><a href="c1.xhtml">never said</a></li></ol></nav>'
    return page(f'{pages}<nav epub:type="toc"><h1>never said</h1><ol>{items}</ol></nav>')


def ncx(points: str) -> str:
    """Return a table of contents of EPUB 2."""
    return f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1"><navMap>{points}</navMap></ncx>'


def point(title: str, source: str, below: str = "") -> str:
    """Return an entry of an NCX."""
    return f'<navPoint><navLabel><text>{title}</text></navLabel><content src="{source}"/>{below}</navPoint>'


def epub(path: Path, files: Mapping[str, str], spine: str = "", more: Mapping[str, str] | None = None) -> Path:
    """Write a book of ``files`` in the folder ``E``: pages in their order, or the names in ``spine``; return its path."""
    pages = [name for name in files if name.endswith("html") and name != NAV]
    order = spine.split() if spine else pages
    kinds = {name: "application/x-dtbncx+xml" if name == NCX else PAGE for name in files}
    properties = {NAV: ' properties="nav"'}
    items = "".join(
        f'<item id="{name}" href="{name}" media-type="{kinds[name]}"{properties.get(name, "")}/>' for name in files
    )
    toc = ' toc="toc.ncx"' if NCX in files else ""
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>A Small Book</dc:title><dc:creator>Ann Onymous</dc:creator><dc:creator>N. O. Body</dc:creator>"
        f"<dc:language>en-GB</dc:language></metadata><manifest>{items}</manifest><spine{toc}>"
        + "".join(f'<itemref idref="{name}"/>' for name in order)
        + "</spine></package>"
    )
    with ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", CONTAINER.format("E/book.opf"))
        archive.writestr("E/book.opf", package)
        for name, text in files.items():
            archive.writestr(f"E/{name}", text)
        for name, text in ({} if more is None else more).items():
            archive.writestr(name, text)
    return path
