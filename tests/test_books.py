"""What of a book is read, and in which chapters; what is no book is refused in one line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

pytest.importorskip("lxml")
pytest.importorskip("mdit_py_plugins")

from books import CONTAINER, epub, nav, ncx, page, point

from tts_fm import books
from tts_fm.books import Book, Footnotes
from tts_fm.books.turns import BREAK_PAUSE, HEADING_PAUSES, NOTE_PAUSE, OTHER_HEADING, STRETCH, turns
from tts_fm.errors import InputError

NOTE = '<aside epub:type="footnote" id="n1"><p><a epub:type="backlink" href="#r1">1</a> By hand.</p></aside>'
REFERRING = '<p>He wrote it<a id="r1" epub:type="noteref" href="#n1">1</a> alone.</p><p>It rained.</p>'


def outline(book: Book) -> dict[str, list[str]]:
    """Each chapter's title and the words of its parts; a break is "-"."""
    return {chapter.title: [part.text or "-" for part in chapter.parts] for chapter in book.chapters}


def test_an_epub_of_version_3_has_the_chapters_of_its_navigation(tmp_path: Path) -> None:
    files = {
        "nav.xhtml": nav(
            '<li><span>Part One</span><ol><li><a href="c1.xhtml">The &amp; First</a><ol><li><a href="c1.xhtml#s2">Inside'
            '</a></li></ol></li><li><a href="c2.xhtml">Second</a></li></ol></li><li><a href="c2.xhtml#end">Last</a></li>'
        ),
        "cover.xhtml": page('<img src="cover.png" alt="never said"/><p>Ann Onymous</p>'),
        "c1.xhtml": page(
            "<h1>The &amp; First</h1><p>It is&nbsp;<i>here</i>&#8212;<b>so</b>.</p><h2 id='s2'>Inside</h2>"
        ),
        "more.xhtml": page("<p>It goes<br/>on.</p><hr/><p>* * *</p><table><tr><td>a</td><td>b</td></tr></table>"),
        "c2.xhtml": page(
            "<div class='x'>Loose <span hidden=''>never</span> words<p>Two.</p></div><h1 id='end'>Z</h1><p>Y</p>"
        ),
    }
    book = books.load(epub(tmp_path / "a.epub", files))
    assert (book.title, book.author, book.language, book.remarks) == (
        "A Small Book", "Ann Onymous, N. O. Body", "en-GB", (),
    )  # fmt: skip
    assert outline(book) == {
        "A Small Book": ["Ann Onymous"],
        "The & First": ["The & First", "It is here—so.", "Inside", "It goes on.", "-", "-", "a, b"],
        "Second": ["Second", "Loose words", "Two."],  # its title is not on the page, so it is said
        "Last": ["Z", "Y"],
    }
    assert book.n_characters == sum(len(text) for texts in outline(book).values() for text in texts if text != "-")


def test_an_epub_of_version_2_has_the_chapters_of_its_ncx_and_the_order_of_its_spine(tmp_path: Path) -> None:
    files = {
        "toc.ncx": ncx(
            point("Zwei", "b.html") + point("One", "a.html#x", point("Sub", "a.html#y")) + point("Gone", "c.html")
        ),
        "a.html": page("<p>Before.</p><h1><a name='x'></a>One</h1><p>Words.</p><h2 id='y'>Sub</h2><p>More.</p>"),
        "b.html": page("<h1>Zwei</h1><p>End.</p>"),
    }
    assert outline(books.load(epub(tmp_path / "a.epub", files))) == {
        "A Small Book": ["Before."],
        "One": ["One", "Words.", "Sub", "More."],
        "Zwei": ["Zwei", "End."],
    }
    backwards = books.load(epub(tmp_path / "b.epub", files, spine="b.html a.html"))
    assert list(outline(backwards)) == ["Zwei", "One"]
    assert outline(backwards)["Zwei"] == ["Zwei", "End.", "Before."]


def test_without_contents_every_page_is_a_chapter(tmp_path: Path) -> None:
    files = {"a.xhtml": page("<h2>Alpha</h2><p>A.</p>"), "b.xhtml": page("<p>B.</p>"), "c.xhtml": page("<img/>")}
    assert outline(books.load(epub(tmp_path / "a.epub", files))) == {"Alpha": ["Alpha", "A."], "Chapter 2": ["B."]}


OLD_NOTE = '<p><a id="n1"></a><a href="#r1">[1]</a> By hand.</p>'
OLD = '<p>He wrote it<a id="r1" href="#n1"><sup>1</sup></a> alone.</p><p>It rained.</p>'
LIST = '<section epub:type="endnotes" role="doc-endnotes"><h2>Notes</h2><ol><li id="n1">1. By hand.</li></ol></section>'


@pytest.mark.parametrize("footnotes", ["skip", "say"])
@pytest.mark.parametrize("text, note", [(REFERRING, NOTE), (OLD, OLD_NOTE), (OLD, LIST)])
@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_notes_are_left_out_or_said_where_they_belong(
    tmp_path: Path, footnotes: Footnotes, text: str, note: str, is_elsewhere: bool
) -> None:
    files = {"a.xhtml": page(f"<h1>A</h1>{text}{'' if is_elsewhere else note}")}
    if is_elsewhere:
        files = {"a.xhtml": files["a.xhtml"].replace("#n1", "b.xhtml#n1")}
        files["b.xhtml"] = page(f"<h1>Notes</h1>{note.replace('#r1', 'a.xhtml#r1')}")
    said = outline(books.load(epub(tmp_path / "a.epub", files), footnotes))
    assert said == {"A": ["A", "He wrote it alone.", *(["By hand."] if footnotes == "say" else []), "It rained."]}


def test_a_link_that_looks_like_a_note_takes_no_chapter_away(tmp_path: Path) -> None:
    long = "<p>word</p>" * 2000
    files = {"a.xhtml": page(f'<p><a href="#c">[1]</a></p><p>Six <sup>2</sup>.</p><div id="c"><h2>C</h2>{long}</div>')}
    (chapter,) = books.load(epub(tmp_path / "a.epub", files)).chapters
    assert len(chapter.parts) == 2 + 2 + 2000 - 1


def test_markdown_has_the_chapters_of_its_highest_headings_below_a_title(tmp_path: Path) -> None:
    file = tmp_path / "a.md"
    file.write_text(
        "---\nauthor: Ann\nlang: en\n---\n# Book\n\nFirst of all.\n\n## One\n\nIt is *good*[^1].\n\n### Deep\n\n- a\n- b\n\n"
        "---\n\n## Two\n\nSee [here](http://x.y).\n\n    code\n\n<script>never()</script>\n\n[^1]: Very.\n"
    )
    book = books.load(file, "say")
    assert (book.title, book.author, book.language) == ("Book", "Ann", "en")
    assert outline(book) == {
        "Book": ["Book", "First of all."],
        "One": ["One", "It is good.", "Very.", "Deep", "a", "b"],
        "Two": ["Two", "See here.", "code"],
    }
    file.write_text("Only words.\n\nTwo of them.")
    assert outline(books.load(file)) == {"a": ["Only words.", "Two of them."]}


def test_headings_scenes_and_notes_have_their_pauses(tmp_path: Path) -> None:
    body = f"<h1>A</h1><p>One.</p><p>Two</p><hr/><p>Three.</p>{REFERRING}<h3>B</h3><p>{'Word, word. ' * 200}</p>{NOTE}"
    (chapter,) = books.load(epub(tmp_path / "a.epub", {"a.xhtml": page(body)}), "say").chapters
    said = turns(chapter.parts)
    before, after = HEADING_PAUSES[1]
    assert [(turn.pause, turn.text) for turn in said[:6]] == [
        (before, "A."),
        (after, "One.\n\nTwo."),
        (BREAK_PAUSE, "Three.\n\nHe wrote it alone."),
        (NOTE_PAUSE, "Footnote: By hand."),
        (NOTE_PAUSE, "It rained."),
        (OTHER_HEADING[0], "B."),
    ]
    assert [turn.pause for turn in said[6:]] == [OTHER_HEADING[1], 0.2, 0.2] and all(
        len(t.text) <= STRETCH for t in said
    )
    assert " ".join(turn.text for turn in said[6:]) == " ".join(["Word, word."] * 200)


GOOD = {"a.xhtml": page("<p>Words.</p>")}
ENTITIES = '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;"><!ENTITY c SYSTEM "file:///etc/passwd">]>'


def test_what_is_missing_is_told_and_the_rest_is_read(tmp_path: Path) -> None:
    book = books.load(epub(tmp_path / "a.epub", GOOD, spine="nobody a.xhtml"))
    assert outline(book) == {"A Small Book": ["Words."]}
    assert book.remarks == ("the book names a page 'nobody' that it does not have; it is left out",)
    path = tmp_path / "b.epub"
    epub(path, {**GOOD, "b.xhtml": page("<p>Lost.</p>")})
    _without(path, "E/b.xhtml")
    assert books.load(path).remarks == ("the page E/b.xhtml is missing in the book; it is left out",)


def test_entities_are_not_expanded_and_broken_pages_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    evil = page("<p>Safe &b;&c;.</p>").replace("<!DOCTYPE html>", ENTITIES)
    files = {"a.xhtml": evil, "b.xhtml": "<html><body><p>One <b>two<p>three &amp; &copy; four", "c.xhtml": ""}
    assert [chapter.parts[0].text for chapter in books.load(epub(tmp_path / "a.epub", files)).chapters] == [
        "Safe .",
        "One two",
    ]
    assert "three & © four" in outline(books.load(tmp_path / "a.epub"))["Chapter 2"]


def _without(path: Path, name: str) -> None:
    with zipfile.ZipFile(path) as archive:
        kept = {one: archive.read(one) for one in archive.namelist() if one != name}
    with zipfile.ZipFile(path, "w") as archive:
        for one, data in kept.items():
            archive.writestr(one, data)


def _encryption(algorithm: str) -> dict[str, str]:
    method = f'<EncryptedData><EncryptionMethod Algorithm="{algorithm}"/></EncryptedData>'
    return {"META-INF/encryption.xml": f"<encryption>{method}</encryption>"}


@pytest.mark.parametrize(
    "spoil, reason",
    [
        (lambda path: path.write_bytes(b"no zip"), "is no EPUB that can be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:300]), "is no EPUB that can be read"),
        (lambda path: _without(path, "META-INF/container.xml"), "META-INF/container.xml is missing in it"),
        (lambda path: _without(path, "E/book.opf"), "E/book.opf is missing in it"),
        (
            lambda path: epub(path, GOOD, more=_encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc")),
            "is protected",
        ),
        (lambda path: epub(path, GOOD, more={"META-INF/encryption.xml": "<encryption/>"}), "is protected"),
        (lambda path: epub(path, {"a.xhtml": page("<img/>")}), "has no words in it"),
        (lambda path: epub(path, {"../../etc/passwd.xhtml": page("<p>x</p>")}), "lies outside of it"),
        (lambda path: epub(path, {"/etc/passwd.xhtml": page("<p>x</p>")}), "lies outside of it"),
        (
            lambda path: epub(path, GOOD, more={"META-INF/container.xml": CONTAINER.format("../x.opf")}),
            "lies outside of it",
        ),
        (lambda path: _bomb(path), "packed as no text is"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_no_book_is_refused_in_one_line(tmp_path: Path, spoil, reason: str) -> None:
    path = epub(tmp_path / "a.epub", GOOD)
    spoil(path)
    with pytest.raises(InputError, match=reason) as refused:
        books.load(path)
    assert "\n" not in str(refused.value)


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("E/a.xhtml", page(f"<p>{'a' * 10_000_000}</p>"))


def test_scrambled_fonts_are_no_protection(tmp_path: Path) -> None:
    path = epub(tmp_path / "a.epub", GOOD, more=_encryption("http://www.idpf.org/2008/embedding"))
    assert books.load(path).n_characters == len("Words.")


def test_more_text_than_a_book_has_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tts_fm.books import archive

    path = epub(tmp_path / "a.epub", {**GOOD, "b.xhtml": page(f"<p>{'a b ' * 1000}</p>")})
    monkeypatch.setattr(archive, "MAX_TEXT", 4000)
    with pytest.raises(InputError, match=r"b.xhtml has more than 0 MB of text"):
        books.load(path)
    monkeypatch.setattr(archive, "MAX_ENTRIES", 3)
    with pytest.raises(InputError, match="holds 5 files"):
        books.load(path)


def test_a_file_that_is_not_there_or_no_book_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no book"):
        books.load(tmp_path / "a.epub")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ValueError, match="give .epub, .md, .markdown"):
        books.load(tmp_path / "a.txt")
    (tmp_path / "a.md").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is no UTF-8 text"):
        books.load(tmp_path / "a.md")
