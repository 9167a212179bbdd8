"""A user's own words: read before every rule, in letters or sounds; a wrong line is named."""

from __future__ import annotations

import pytest

from tts_fm.errors import InputError
from tts_fm.story import Role
from tts_fm.text.lexicon import Lexicon, shown
from tts_fm.text.normalize import normalize, read, written_words


def lexicon(*lines: str) -> Lexicon:
    return Lexicon.of((f"words.tsv, line {i}", line) for i, line in enumerate(lines, 1))


WORDS = lexicon("gif\tjiff", "Niche\t/ˈniːʃ/", "New York\tNoo Yawk", "New\tnyoo", "$5\ta fiver", "No. 7\tseven")


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("A gif, a GIF and a Gif.", "A jiff, a jiff and a jiff."),
        ("gifs stay", "gifs stay"),
        ("Niche but niche", "/ˈniːʃ/ but niche"),
        ("Niche's end", "/ˈniːʃᵻz/ end"),
        ("New York is New.", "Noo Yawk is nyoo."),
        ("It costs $5 or $50.", "It costs a fiver or fifty dollars."),
        ("No. 7 and No. 8", "seven and Number eight"),
    ],
)
def test_words_go_before_every_rule(text, spoken):
    assert shown(normalize(text, WORDS)) == spoken


def test_a_text_that_is_spelled_out_is_changed_by_the_lexicon_alone():
    reading = read("A GIF for $7.", WORDS, is_spelled_out=True)
    assert (reading.text, [change.rule for change in reading.changes]) == ("A jiff for $7.", ["lexicon"])
    assert [word.text for word in written_words("A GIF for $7.", WORDS, is_spelled_out=True)] == [
        "A",
        "GIF",
        "for",
        "$7.",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("gif", "'gif' is no entry of a lexicon"),
        ("a\tb\tc", "is no entry of a lexicon"),
        ("...\tdots", "'...' is no word"),
        ("x\t/a b/", "IPA stands between two slashes"),
        ("x\t/a", "IPA stands between two slashes"),
        ("x" * 101 + "\ty", "is longer than 100 characters"),
        ("gif\tjeef", "'gif' has a reading already"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    file = tmp_path / "words.tsv"
    file.write_text(f"# my words\n\ngif\tjiff\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=message) as caught:
        Lexicon.load(file)
    assert f"{file}, line 4: " in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no such file"):
        Lexicon.load(tmp_path / "none.tsv")
    (tmp_path / "latin.tsv").write_bytes(b"caf\xe9\tx\n")
    with pytest.raises(InputError, match="no UTF-8 text"):
        Lexicon.load(tmp_path / "latin.tsv")


def test_own_words_go_before_those_of_a_voice():
    voice, mine = lexicon("gif\tghif", "Anna\tAhna"), lexicon("gif\tjiff")
    both = Role(None, lexicon=voice).words(mine)
    assert normalize("Anna's gif", both) == "Ahna's jiff"
    assert Role(None).words(mine) is mine
    assert Role(None, lexicon=voice).words(None) is voice
