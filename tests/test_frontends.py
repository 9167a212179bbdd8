"""Frontends: what every one of them promises; F5's tokens and ids exactly; phonemes without a system espeak."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tts_fm import plugins
from tts_fm.errors import InputError, ModelError
from tts_fm.frontends import Frontend
from tts_fm.frontends.phonemes import Phonemes
from tts_fm.frontends.utf8 import Utf8
from tts_fm.frontends.vocab import Vocab
from tts_fm.text.normalize import normalize
from tts_fm.text.pronunciation import SYMBOLS

GOLDEN = json.loads((Path(__file__).parent / "data" / "goldens" / "golden.json").read_text(encoding="utf-8"))["text"][
    "pinyin"
]
ENGLISH = "Some call me nature, others call me mother nature."


@pytest.fixture
def vocab_file(tmp_path):
    letters = [chr(code) for code in range(33, 127)]
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join([" ", *letters, "dui4", "zhe4", "，"]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def vocab(vocab_file):
    return Vocab(Vocab.Options(), vocab_file)


@pytest.mark.parametrize("name", plugins.names(Frontend))
def test_every_frontend_gives_valid_ids(name, vocab_file):
    frontend = (kind := plugins.load(Frontend, name))(kind.Options(), vocab_file)
    tokens = frontend.tokens(ENGLISH)
    ids = frontend.ids(tokens)
    assert frontend.encode(ENGLISH) == ids
    assert len(ids) == len(tokens)
    assert all(0 <= i < frontend.vocab_size for i in ids)
    assert frontend.unknown(tokens) == []
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(frontend.encode, [ENGLISH] * 8)) == [ids] * 8


# vocab


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["text"][:20])
def test_pinyin_tokens_are_those_of_the_original(vocab, case):
    pytest.importorskip("rjieba")
    assert vocab.tokens(case["text"]) == case["tokens"]


def test_english_needs_no_dictionary(vocab):
    jieba = pytest.importorskip("rjieba")
    texts = [
        "It's 5:30 (really) -- dog--the cat_b a.b 100% #1 $5 A&B x-y-z 2024/25.",
        "кот и пёс, naïve “x” C# e.g. C++",
    ]
    for text in [*texts, *(line for case in GOLDEN if (line := case["text"]).isascii())]:
        expected: list[str] = []
        plain = text.translate(str.maketrans({";": ",", "“": '"', "”": '"'}))
        for segment in jieba.cut(plain):
            if expected and segment.isascii() and len(segment) > 1 and expected[-1] not in " :'\"":
                expected.append(" ")
            expected.extend(segment)
        assert vocab.tokens(text) == expected


def test_chinese_without_the_extra_says_what_to_install(vocab, monkeypatch):
    monkeypatch.setitem(sys.modules, "rjieba", None)
    assert vocab.tokens("café") == ["c", "a", "f", "é"]
    with pytest.raises(InputError, match=r"pip install 'tts_fm\[zh\]'"):
        vocab.tokens("对")


def test_plain_characters(vocab_file):
    frontend = Vocab(Vocab.Options(pinyin=False), vocab_file)
    assert frontend.tokens("a;(bc)对") == list("a;(bc)对")


def test_ids_are_line_numbers_and_unknown_tokens_are_listed(vocab):
    assert vocab.vocab_size == 98
    assert vocab.ids([" ", "!", "dui4", "，", "é", "é"]) == [0, 1, 95, 97, 0, 0]
    assert vocab.unknown(["a", "é", "ß", "é"]) == ["é", "ß"]


def test_only_a_line_feed_ends_a_line(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes(" \n\u2028\n\x85\na".encode())
    frontend = Vocab(Vocab.Options(), path)
    assert frontend.ids(["\u2028", "\x85", "a"]) == [1, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: the first token is ''"),
        (b"a\n \n", "line 1: the first token is 'a'; it must be one space"),
        (b" \na\nb\na\n", "line 4: the token 'a' is already on line 2"),
        (b" \n\xff\n", "is no UTF-8"),
        (None, "which has one token a line"),
    ],
)
def test_bad_vocabularies(tmp_path, content, message):
    path = tmp_path / "vocab.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError) as caught:
        Vocab(Vocab.Options(), path)
    assert message in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_vocabulary_is_needed():
    with pytest.raises(ValueError, match="needs a vocab.txt"):
        Vocab(Vocab.Options())


# utf8


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_bytes(text):
    assert Utf8(Utf8.Options()).encode(text) == list(text.encode())


def test_bytes_of_a_lone_surrogate():
    assert Utf8(Utf8.Options()).encode("a\ud800") == [97, 63]
    assert Utf8(Utf8.Options()).unknown(["a", "对", "ab"]) == ["对", "ab"]


# phonemes


def test_phonemes_with_stress_and_punctuation():
    tokens = Phonemes(Phonemes.Options()).tokens("Hello, world!")
    assert "".join(tokens) == "^həlˈoʊ, wˈɜːld!$"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs the list of loaded libraries")
def test_phonemes_need_no_system_espeak():
    code = (
        "from tts_fm.frontends.phonemes import Phonemes as P\n"
        "print(ascii(''.join(P(P.Options()).tokens('Hello, world!'))))\n"
        "print([line.split()[5] for line in open('/proc/self/maps') if 'espeak' in line and '.so' in line][0])"
    )
    hidden = {"PATH": os.path.dirname(sys.executable), "PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONUTF8": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=hidden, capture_output=True, text=True, check=True)
    spoken, *library = done.stdout.split("\n")
    assert spoken == ascii("^həlˈoʊ, wˈɜːld!$")
    assert "espeakng_loader" in library[0] or "/tmp" in library[0]


def test_several_threads_give_what_one_gives():
    frontend = Phonemes(Phonemes.Options())
    texts = [f"Sentence {word} is read, aloud." for word in "one two three four five six seven eight nine ten".split()]
    alone = [frontend.tokens(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(frontend.tokens, texts * 4)) == alone * 4


def test_control_characters_and_long_text_survive():
    frontend = Phonemes(Phonemes.Options())
    assert frontend.tokens(normalize("Hel\x00lo,\x07 world!")) == frontend.tokens("Hello, world!")
    assert frontend.tokens("a\x00b")[0] == "^"
    long = frontend.tokens(("the cat sat on the mat, " * 250)[:5000])
    assert len(long) > 4000
    assert frontend.unknown(long) == []


def test_phoneme_ids_round_trip():
    frontend = Phonemes(Phonemes.Options())
    tokens = frontend.tokens("The measure of a thing, judged: vision? Yes!")
    assert [SYMBOLS[i] for i in frontend.ids(tokens)] == tokens
    assert len(set(SYMBOLS)) == len(SYMBOLS) == frontend.vocab_size
    assert frontend.unknown(["a", "對", "對"]) == ["對"]


@pytest.mark.parametrize(
    ("text", "ipa", "unknown"),
    [
        ("It is version 2.6.", "ɪɾ ɪz vˈɜːʒən tˈuː pˈɔɪnt sˈɪks.", []),
        ("2.65.", "tˈuː pˈɔɪnt sˈɪks fˈaɪv.", []),
        ("日本8.0.", "日本ˈeɪt pˈɔɪnt zˈiəɹoʊ.", ["日本"]),
        ("Nguyễn", "nˈuːjɛn", []),
        ("Привет, Anna.", "Привет, ˈænə.", ["Привет"]),
        ("a ₽ b", "ˈeɪ₽bˈiː", ["₽"]),
        ("\ue000ˈniːʃ\ue001, yes", "ˈniːʃ, jˈɛs", []),
    ],
)
def test_what_espeak_can_not_read_is_reported_and_not_spelled(text, ipa, unknown):
    frontend = Phonemes(Phonemes.Options())
    tokens = frontend.tokens(text)
    assert "".join(tokens[1:-1]) == ipa
    assert frontend.unknown(tokens) == unknown


def test_a_language_reads_its_own_script():
    russian = Phonemes(Phonemes.Options(language="ru"))
    assert russian.unknown(russian.tokens("Привет")) == []
    assert russian.unknown(russian.tokens("Привет 東京")) == ["東京"]


def test_frontends_tell_whether_there_is_anything_to_say():
    frontend = Phonemes(Phonemes.Options())
    assert frontend.says_something("Hi.") and frontend.says_something("東京 a")
    assert not any(map(frontend.says_something, ("東京", "Привет!", "...", "₽", "")))


@pytest.mark.parametrize("sign", ["㊗", "৵", "⠓⠑", "㌀", "෴", "𐅀"])
def test_signs_of_other_scripts_are_told_and_not_named_by_their_code(sign):
    frontend = Phonemes(Phonemes.Options())
    tokens = frontend.tokens(f"good {sign} day")
    assert frontend.unknown(tokens) == [sign]
    assert [token for token in tokens if token != sign] == frontend.tokens("good  day")[:5] + frontend.tokens("day")[1:]


@pytest.mark.parametrize(
    ("written", "as_if"),
    [("Hawaiʻi", "Hawai'i"), ("Qurʾān", "Qurān"), ("ʿAlī", "Alī"), ("donʼt", "don't"), ("vitaminᶜ", "vitaminc")],
)
def test_modifier_letters_are_no_words_of_their_own(written, as_if):
    frontend = Phonemes(Phonemes.Options())
    assert frontend.tokens(written) == frontend.tokens(as_if)
