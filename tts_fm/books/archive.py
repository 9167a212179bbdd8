"""The files in an EPUB: read by name and within bounds; what is protected, too large or leads out of it is refused."""

from __future__ import annotations

import posixpath
import re
import zlib
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote
from zipfile import BadZipFile, LargeZipFile, ZipFile

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue, reportMissingImports] (an extra)

from tts_fm.errors import InputError

MAX_ENTRIES = 20_000
MAX_FILE, MAX_TEXT = 16_000_000, 64_000_000
"""Bytes of a file, and of all that are read together: far above any book's words, far below what fills a memory."""
_MOST_PACKED = 200  # times smaller than it is: text is 3 to 10, what is more was made to burst
_BROKEN = (BadZipFile, LargeZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)
_ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,31});")
_FONT_SCRAMBLING = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")


class Archive:
    """An EPUB's files.

    Raises:
        InputError: the file is no ZIP, or has more files than a book.
    """

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._left = MAX_TEXT
        try:
            self._zip = ZipFile(path)
        except _BROKEN as error:
            raise self._broken(error) from None
        self._known = {info.filename: info for info in self._zip.infolist()}
        if len(self._known) > MAX_ENTRIES:
            raise InputError(f"{self._name} holds {len(self._known):,} files, which is no book; check what it is")

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def read(self, name: str) -> bytes:
        """Return the bytes of a file, of which only so many are unpacked as a book may have.

        Raises:
            InputError: it is missing, damaged, larger than a book's words are, or packed to burst.
        """
        info = self._known.get(name)
        if info is None:
            raise InputError(f"{self._name} is no whole book: {name} is missing in it; download it again")
        most = min(MAX_FILE, self._left)
        if info.file_size > 10_000 and info.file_size > _MOST_PACKED * max(info.compress_size, 1):
            raise InputError(f"{self._name}: {name} is packed as no text is, as if to fill the memory; it is not read")
        try:
            with self._zip.open(info) as file:
                data = file.read(most + 1)
        except _BROKEN as error:
            raise self._broken(error) from None
        if len(data) > most:
            raise InputError(f"{self._name}: {name} has more than {most // 1_000_000} MB of text; no book has, cut it")
        self._left -= len(data)
        return data

    def tree(self, name: str) -> etree._Element:
        """Return the root of a file of XML. Raises InputError where it is none."""
        try:
            return etree.fromstring(_without_entities(self.read(name)), _xml())
        except etree.XMLSyntaxError as error:
            raise InputError(f"{self._name}: {name} is no XML ({error.msg}); download the book again") from None

    def check_readable(self) -> None:
        """Raise InputError where the words are encrypted; scrambled fonts do not matter."""
        name = "META-INF/encryption.xml"
        if name not in self:
            return
        methods = {one.get("Algorithm") for one in self.tree(name).iter("{*}EncryptionMethod")}
        if not methods or methods - {*_FONT_SCRAMBLING}:
            raise InputError(
                f"{self._name} is protected (DRM), and its words cannot be read; give a book without protection"
            )

    def _broken(self, error: Exception) -> InputError:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return InputError(f"{self._name} is no EPUB that can be read ({reason}); download it again")


def page(data: bytes) -> etree._Element | None:
    """Return the root of a page: of XHTML, or of HTML where it is not well-formed; None where there is nothing."""
    try:
        return etree.fromstring(_without_entities(data), _xml())
    except etree.XMLSyntaxError:
        pass
    try:
        data.decode("utf-8")
        encoding = "utf-8"
    except UnicodeDecodeError:
        encoding = None  # what the page says
    parser = etree.HTMLParser(encoding=encoding, no_network=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        return None


def inside(base: str, link: str) -> tuple[str, str]:
    """Return the file that ``link`` in the file ``base`` leads to, and the place in it.

    Raises:
        InputError: it leads out of the book.
    """
    path, _, place = link.partition("#")
    path = unquote(path)
    if not path:
        return base, unquote(place)
    name = posixpath.normpath(posixpath.join(posixpath.dirname(base), path))
    if name.startswith(("../", "/")) or name == ".." or "\\" in name or ":" in name.split("/")[0]:
        raise InputError(f"the book names {link!r}, which lies outside of it; such a book is not read")
    return name, unquote(place)


def _xml() -> etree.XMLParser:
    """Return a parser that loads nothing and expands nothing."""
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )


def _without_entities(data: bytes) -> bytes:
    """Return ``data`` with the named characters of HTML, which XML does not know, by their numbers."""
    from html.entities import html5

    def numbered(match: re.Match[bytes]) -> bytes:
        name = match[1].decode()
        if name in ("amp", "lt", "gt", "quot", "apos") or f"{name};" not in html5:
            return match[0]
        return "".join(f"&#{ord(character)};" for character in html5[f"{name};"]).encode()

    return _ENTITY.sub(numbered, data)
