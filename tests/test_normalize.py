"""English in words: a table of examples, what stays as it is, what is refused, and linear time."""

from __future__ import annotations

import json
import random
import string
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_fm.errors import InputError
from tts_fm.text import normalize as normalize_module
from tts_fm.text.clean import MAX_CHARACTERS, check, clean
from tts_fm.text.normalize import normalize, trace, written_words
from tts_fm.text.numbers import cardinal, fraction, number, ordinal, roman, year

TABLE = [
    tuple(line.split("\t"))
    for line in (Path(__file__).parent / "data" / "normalize.tsv").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize(("written", "spoken"), TABLE)
def test_table(written, spoken):
    assert normalize(written) == spoken
    assert normalize(spoken) == spoken


def test_the_table_is_as_long_as_promised():
    assert len(TABLE) >= 70


def test_trace_says_what_is_read_and_where():
    text = "Dr. Lee paid $5\u200b on 5 May."
    replacements = trace(text)
    assert [(r.source, r.spoken) for r in replacements] == [
        ("Dr. ", "Doctor "), ("$5", "five dollars"), ("5 May", "the fifth of May"),
    ]  # fmt: skip
    assert all(clean(text)[r.start :].startswith(r.source) for r in replacements)
    assert trace("Nothing to change here.") == []


@pytest.mark.parametrize(
    ("n", "words"),
    [(0, "zero"), (100, "one hundred"), (1_000_001, "one million one"), (999_999_999_999_999, None), (10**14, None)],
)
def test_cardinals_agree_with_num2words(n, words):
    from num2words import num2words

    assert cardinal(n) == num2words(n).replace(" and ", " ").replace(",", "")
    assert words is None or cardinal(n) == words


def test_ordinals_agree_with_num2words():
    from num2words import num2words

    for n in (*range(0, 130), 999, 1000, 1001, 12_345, 1_000_000):
        assert ordinal(n) == num2words(n, to="ordinal").replace(" and ", " ").replace(",", "")


def test_numbers_in_other_forms():
    assert [year(n) for n in (79, 1000, 1066, 1900, 1905, 2000, 2009, 2010)] == [
        "seventy-nine", "one thousand", "ten sixty-six", "nineteen hundred", "nineteen oh five", "two thousand",
        "two thousand nine", "twenty ten",
    ]  # fmt: skip
    assert [fraction(*f) for f in ((1, 2), (3, 2), (3, 4), (1, 3), (5, 8))] == [
        "one half", "three halves", "three quarters", "one third", "five eighths",
    ]  # fmt: skip
    assert number("1" * 16) == " ".join(["one"] * 16)
    assert [roman(n) for n in ("IV", "XLII", "MCMXCIX", "IIX", "")] == [4, 42, 1999, None, None]


def test_roman_numerals_are_read_back():
    def write(n):
        values = (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1)
        text = ""
        for value, letters in zip(values, "M CM D CD C XC L XL X IX V IV I".split(), strict=True):
            text, n = text + letters * (n // value), n % value
        return text

    assert all(roman(write(n)) == n for n in range(1, 4000))


# Cleaning


def test_clean_removes_what_has_no_sound():
    assert clean("a\x00b\u200bc\u202ed\ud800e\ufefff\u00ad") == "abcdef"
    assert clean(" e\u0301\u00a0\t x\r\ny\u2028z ") == "é x y z"
    assert clean("Chapter One\n\nIt was late.\n \nThe end") == "Chapter One. It was late. The end"


@given(st.text(alphabet=st.characters(codec=None)))
@settings(max_examples=200, deadline=None)
def test_clean_is_idempotent_and_plain(text):
    plain = clean(text)
    assert clean(plain) == plain
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in plain)
    plain.encode("utf-8")


@given(st.text(alphabet=st.sampled_from("ab AZ.I'019,-/:$€%#&@+=()½\u00b2対😀\n"), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_text_is_normalised(text):
    spoken = normalize(text)
    assert spoken == " ".join(spoken.split())
    starts = [replacement.start for replacement in trace(text)]
    assert starts == sorted(set(starts))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty"),
        (" \n\t\u200b\x00", "the text is empty"),
        ("?!... --", "there is nothing to speak in '?!... --'"),
        ("😀🎉👍🏽", "there is nothing to speak"),
        ("$ % & →", "there is nothing to speak"),
        ("\u0301", "there is nothing to speak"),
        ("a" * 200_000, "the text has 200,000 characters; at most 100,000"),
    ],
)
def test_texts_that_are_refused(text, message):
    with pytest.raises(InputError) as caught:
        check(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["a", "5", "½", "对", "OK!", "a" * MAX_CHARACTERS])
def test_texts_that_are_not_refused(text):
    check(text)
    assert clean(text) == text


# Time

_RNG = random.Random(0)
_LONG = {
    "letters": "a", "capitals": "A", "digits": "1", "zeros": "0", "points": ".", "parentheses": "(", "hyphens": "-",
    "quotes": "'", "emoji": "😀", "numbers": "1 ", "commas": "1,", "dotted": "1.", "dashed": "1-", "slashes": "1/",
    "colons": "1:", "initials": "A. ", "addresses": "a@", "domains": "a.", "www": "www.", "dollars": "$1", "months": "1 May ",
    "kings": "Henry I ", "marks": "a\u0301\u0327", "combining": "\u0301",
    "noise": "".join(_RNG.choice(string.printable) for _ in range(MAX_CHARACTERS)),
    "figures": "".join(_RNG.choice("0123456789.,-/: $%") for _ in range(MAX_CHARACTERS)),
    "prose": "Dr. Smith paid $12.50 on March 3, 2024 at 3:30pm for 5 km of rope, e.g. this one. ",
}  # fmt: skip


def _growth(units: dict[str, str], n_characters: int) -> dict[str, float]:
    """How often longer it takes to read twice as many characters of each unit repeated, and to tell its words.

    The best of several runs, in a process of its own, where types are not checked.
    """
    code = (
        "import json, sys, time\nfrom tts_fm.text.normalize import read, written_words\nread('1')\n"
        "units, n = json.load(sys.stdin)\nresult = {}\n"
        "def seconds(text):\n"
        "    begin = time.process_time()\n    read(text)\n    written_words(text[: len(text) // 4])\n"
        "    return time.process_time() - begin\n"
        "for name, unit in units.items():\n"
        "    texts = [(unit * (size // len(unit) + 1))[:size] for size in (n, 2 * n)]\n"
        "    one, two = (min(seconds(text) for _ in range(3)) for text in texts)\n"
        "    result[name] = two / max(one, 1e-3)\n"
        "print(json.dumps(result))"
    )
    data = json.dumps([units, n_characters])
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], input=data, capture_output=True, text=True, check=True, cwd=root
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("unit", ["- ", "word ", "5 kg ", "( ! "])
def test_written_words_look_at_every_character_a_few_times(unit, monkeypatch):
    looked_at = []

    def counted(plain: str, start: int, end: int, *rest: object) -> str:
        looked_at.append(end - start)
        return spoken(plain, start, end, *rest)

    spoken = normalize_module._spoken
    monkeypatch.setattr(normalize_module, "_spoken", counted)
    assert written_words(unit * 500)
    assert sum(looked_at) <= 3 * len(unit * 500)


@pytest.mark.slow
def test_time_is_linear():
    """Twice as much of anything takes twice as long, up to the longest text; were it quadratic, it would be four times."""
    assert {name: growth for name, growth in _growth(_LONG, 20_000).items() if growth > 3} == {}
    whole = {name: _LONG[name] for name in ("letters", "digits", "points", "numbers")}
    assert max(_growth(whole, MAX_CHARACTERS // 2).values()) < 3
